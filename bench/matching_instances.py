"""Seeded rounds of the size of Shenyang: needs, volunteers, teams and their windows, at one density.

S is a street of about three communities, M about a district (97), L the city (967); any number of needs will do. Minutes
from Monday 00:00; x and y in km from 123.43 E, 41.80 N. The order of the draws is part of what is promised: the same
seed gives the same bytes (tests/matching keeps their hashes), so nothing here may be drawn earlier or later.
"""

# ruff: noqa: C408, E731
# mypy: ignore-errors

from typing import Any

import numpy as np

CATS = [
    "elder_visit",
    "disability",
    "childcare",
    "poverty",
    "lesson",
    "medical",
    "jobhelp",
    "policy",
    "repair",
    "mental",
]
CAT_P = np.array([0.28, 0.10, 0.09, 0.09, 0.10, 0.08, 0.05, 0.08, 0.08, 0.05])
# skill bit required per category, and share of volunteers holding it; certified = bit 16+cat
SKILL_P = np.array([0.45, 0.16, 0.14, 0.30, 0.18, 0.07, 0.12, 0.14, 0.12, 0.06])
CERT_NEED_P = np.array([0.05, 0.15, 0.30, 0, 0.05, 0.60, 0, 0.05, 0.10, 0.40])
LAT0, LON0 = 41.80, 123.43


def geography(rng, ncom):
    # 13 districts: 5 core, 4 suburban, 4 outer counties (share of communities follows density)
    ctr = np.array(
        [
            [-2, -1.5],
            [2, -1],
            [5, 2.5],
            [-1, 4.5],
            [-6, -1.5],
            [6, -8],
            [-9, 5],
            [4, 15],
            [-3, -16],
            [-48, -32],
            [-50, 22],
            [-5, 62],
            [-12, 100],
        ],
        float,
    )
    sig = np.array([2.0, 2.0, 3.0, 3.0, 3.5, 5, 6, 7, 6, 8, 9, 8, 8])
    p = np.array([0.115, 0.11, 0.10, 0.12, 0.125, 0.095, 0.095, 0.06, 0.065, 0.03, 0.04, 0.025, 0.02])
    p /= p.sum()
    d = rng.choice(13, ncom, p=p)
    xy = ctr[d] + rng.normal(size=(ncom, 2)) * sig[d][:, None]
    pop = rng.lognormal(0, 0.45, ncom)
    return d, xy, pop / pop.sum()


def generate(n_needs: int, seed: int = 1, ratio: float = 1.0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    FULL = 967
    dist_all, xy_all, pop_all = geography(np.random.default_rng(20260101), FULL)
    ncom = max(3, round(FULL * n_needs / 300000))
    if ncom < FULL:  # a compact piece: the ncom communities nearest to a core point (constant density)
        c = np.array([0.0, 1.0])
        sel = np.argsort(((xy_all - c) ** 2).sum(1))[:ncom]
    else:
        sel = np.arange(FULL)
    dist, cxy, pop = dist_all[sel], xy_all[sel], pop_all[sel] / pop_all[sel].sum()

    def places(n):
        com = rng.choice(len(sel), n, p=pop)
        return com, cxy[com] + rng.normal(size=(n, 2)) * 0.35

    N = n_needs
    com, xy = places(N)
    cat = rng.choice(10, N, p=CAT_P)
    cert = rng.random(N) < CERT_NEED_P[cat]
    vuln = rng.choice(4, N, p=[0.55, 0.25, 0.14, 0.06])  # 0 none .. 3 special-difficulty
    urg = rng.choice(4, N, p=[0.50, 0.30, 0.15, 0.05]) + 1  # 1 routine .. 4 urgent
    prio = np.clip(urg + (vuln >= 2), 1, 4)  # batch tier
    q = np.where(
        (cat == 0) | (cat == 1) | (cat == 4) | (cat == 8), rng.choice([1, 2, 3, 4], N, p=[0.86, 0.10, 0.03, 0.01]), 1
    )
    gpref = rng.choice(3, N, p=[0.80, 0.14, 0.06])
    ghard = rng.random(N) < 0.25  # 0 any 1 female 2 male
    lang = (rng.random(N) < 0.03).astype(int) * rng.integers(1, 4, N)  # 0 mandarin, 1 korean 2 mongolian 3 sign
    dur = rng.choice([30, 60, 90, 120, 180], N, p=[0.15, 0.40, 0.20, 0.18, 0.07])
    nopt = np.where(q > 1, 1, rng.choice([1, 2, 3], N, p=[0.35, 0.40, 0.25]))
    day_p = np.array([0.12, 0.12, 0.12, 0.12, 0.14, 0.20, 0.18])
    blk_p = np.array([0.42, 0.40, 0.18])
    opt = np.full((N, 3), -1, int)
    for j in range(3):
        day = rng.choice(7, N, p=day_p)
        b = rng.choice(3, N, p=blk_p)
        s0 = np.array([480, 780, 1080])[b]
        ln = np.array([240, 240, 180])[b]
        st = s0 + 30 * np.floor(rng.random(N) * ((ln - np.minimum(dur, ln)) / 30 + 1)).astype(int)
        opt[:, j] = np.where(j < nopt, day * 1440 + st, -1)
    # --- volunteers: V people, windows = availability (about 2.5 per head), W = weekly cap
    NW = int(n_needs * ratio)
    V = int(NW / 2.5)
    vcom, vxy = places(V)
    vskill = (rng.random((V, 10)) < SKILL_P).astype(bool)
    vskill[np.arange(V), rng.choice(10, V, p=SKILL_P / SKILL_P.sum())] = True
    vcert = vskill & (rng.random((V, 10)) < 0.30)
    vgen = rng.choice([1, 2], V, p=[0.62, 0.38])
    vlang = (rng.random(V) < 0.05).astype(int) * rng.integers(1, 4, V)
    vrad = rng.choice([1.2, 2.0, 3.0, 5.0], V, p=[0.35, 0.30, 0.25, 0.10])
    vrel = np.clip(rng.beta(8, 2, V), 0, 1)
    vW = rng.choice([1, 2, 3, 5], V, p=[0.30, 0.35, 0.25, 0.10])
    vcap = np.ones(V, int)
    # --- NGO teams: K teams with parallel capacity, all skills of 2-4 categories, wide radius
    K = max(2, V // 120)
    kcom, kxy = places(K)
    kskill = np.zeros((K, 10), bool)
    for _ in range(3):
        kskill[np.arange(K), rng.choice(10, K, p=CAT_P)] = True
    kcert = kskill.copy()
    P = V + K
    vxy = np.vstack([vxy, kxy])
    vcom = np.r_[vcom, kcom]
    vskill = np.vstack([vskill, kskill])
    vcert = np.vstack([vcert, kcert])
    vgen = np.r_[vgen, np.zeros(K, int)]
    vlang = np.r_[vlang, np.zeros(K, int)]
    vrad = np.r_[vrad, np.full(K, 5.0)]
    vrel = np.r_[vrel, np.full(K, 0.97)]
    kcap = rng.integers(2, 6, K)
    vcap = np.r_[vcap, kcap]
    vW = np.r_[vW, kcap * 6]
    # windows
    wv = []
    ws = []
    we = []
    nwin = np.minimum(rng.poisson(1.5, V) + 1, 7)
    vol = np.repeat(np.arange(V), nwin)
    blk = np.empty(len(vol), int)
    # distinct blocks per volunteer: sample from 21 weighted blocks, unique by (vol,blk)
    bp = (day_p[:, None] * blk_p[None, :]).ravel()
    blk = rng.choice(21, len(vol), p=bp)
    key = np.unique(vol.astype(np.int64) * 21 + blk)
    vol = key // 21
    blk = key % 21
    s0 = np.array([480, 780, 1080])[blk % 3]
    ln = np.array([240, 240, 180])[blk % 3]
    full = rng.random(len(vol)) < 0.45
    lenw = np.where(full, ln, np.minimum(ln, rng.choice([90, 120, 180], len(vol))))
    off = 30 * np.floor(rng.random(len(vol)) * ((ln - lenw) / 30 + 1)).astype(int)
    st = (blk // 3) * 1440 + s0 + off
    wv = np.r_[vol, np.repeat(np.arange(V, P), 15)]
    kb = np.tile([d * 3 + b for d in range(7) for b in range(3) if b < 2 or d == 5][:15], K)
    ks0 = (kb // 3) * 1440 + np.array([480, 780, 1080])[kb % 3]
    kl = np.array([240, 240, 180])[kb % 3]
    ws = np.r_[st, ks0]
    we = np.r_[st + lenw, ks0 + kl]
    o = np.argsort(wv, kind="stable")
    wv, ws, we = wv[o], ws[o], we[o]
    # continuity: 40 % of elder/disability needs had a previous volunteer nearby (best effort: any holder within 2 km)
    from scipy.spatial import cKDTree

    prev = np.full(N, -1)
    for c in (0, 1):
        vs = np.where(vskill[:V, c])[0]
        t = cKDTree(vxy[vs])
        ids = np.where((cat == c) & (rng.random(N) < 0.4))[0]
        k = min(12, len(vs))
        _, ii = t.query(xy[ids], k=k)
        pick = rng.integers(0, k, len(ids))
        prev[ids] = vs[ii[np.arange(len(ids)), pick]]
    lat = lambda p: LAT0 + p[:, 1] / 111.32
    lon = lambda p: LON0 + p[:, 0] / (111.32 * np.cos(np.radians(LAT0)))
    return dict(
        n_xy=xy,
        n_lat=lat(xy),
        n_lon=lon(xy),
        n_com=sel[com],
        n_dist=dist[com],
        n_cat=cat,
        n_cert=cert,
        n_vuln=vuln,
        n_urg=urg,
        n_prio=prio,
        n_q=q,
        n_gpref=gpref,
        n_ghard=ghard,
        n_lang=lang,
        n_dur=dur,
        n_opt=opt,
        n_prev=prev,
        v_xy=vxy,
        v_lat=lat(vxy),
        v_lon=lon(vxy),
        v_com=sel[vcom],
        v_dist=dist[vcom],
        v_skill=vskill,
        v_cert=vcert,
        v_gen=vgen,
        v_lang=vlang,
        v_rad=vrad,
        v_rel=vrel,
        v_W=vW,
        v_cap=vcap,
        w_v=wv,
        w_s=ws,
        w_e=we,
    )
