"""Rounds in which nobody's tasks can get in each other's way: a plain assignment, which is planned exactly and at once.

Everybody comes once at most, or is a team with a place for each task that it is given, and no need wants two helpers.
Then only who is taken matters and not when, and sparse shortest augmenting paths find the best of all plans (Jonker and
Volgenant, "A Shortest Augmenting Path Algorithm for Dense and Sparse Linear Assignment Problems", 1987; SciPy's).
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import min_weight_full_bipartite_matching

from models.exchange.matching.candidates import Candidates
from models.exchange.matching.instance import Instance, Ints

NEEDS, ENTRIES = 5_000, 3_000_000
"""Beyond so many needs, or pairs of an edge and a place, paths take long, and cannot be stopped half way: such rounds bid."""


def independent(instance: Instance, given: Candidates) -> bool:
    """Whether the round is a plain assignment, and of a size for it."""
    people, needs = instance.providers, instance.needs
    count, options = len(needs.quantity), max(1, needs.options.shape[1])
    wanted = needs.quantity[np.unique(given.rows() // options)]
    who = np.unique(given.provider)
    held = np.bincount(instance.busy.provider, minlength=instance.size[1])[who]
    cap, parallel = people.weekly_cap[who], people.parallel[who]
    apart = (cap <= 1) | ((parallel > 1) & (cap + held <= parallel))
    degree = np.bincount(given.provider, minlength=instance.size[1])[who]
    entries = int(np.where(cap >= degree, degree, cap * degree).sum())
    return count <= NEEDS and entries <= ENTRIES and bool((wanted == 1).all() and apart.all())


def matched(instance: Instance, given: Candidates, gain: Ints) -> Ints:
    """The edges of the best plan of an independent round. `gain`: what each edge is worth, at least 0."""
    options = max(1, instance.needs.options.shape[1])
    need, provider = given.rows() // options, given.provider.astype(np.int64)
    order = np.lexsort((-gain, provider, need))
    first = np.ones(len(order), bool)
    first[1:] = (np.diff(need[order]) != 0) | (np.diff(provider[order]) != 0)
    edges = order[first]  # of several times of a need the one at which this provider is worth most

    wanted, row = np.unique(need[edges], return_inverse=True)
    who, place, degree = np.unique(provider[edges], return_inverse=True, return_counts=True)
    cap = instance.providers.weekly_cap[who]
    places = np.minimum(cap, degree)
    begin = np.cumsum(places) - places
    ample = (cap >= degree)[place]  # with a place for each of his edges, each has its own; else any of them will do
    count = np.where(ample, 1, places[place])
    edge = np.repeat(np.arange(len(edges)), count)
    within = np.arange(len(edge)) - np.repeat(np.cumsum(count) - count, count)
    rank = np.empty(len(edges), np.int64)
    rank[np.argsort(place, kind="stable")] = np.arange(len(edges)) - np.repeat(np.cumsum(degree) - degree, degree)
    column = begin[place][edge] + np.where(ample[edge], rank[edge], within)
    # a column of its own for each need says that nobody comes; no weight may be 0, so all are one more
    nobody = int(places.sum()) + np.arange(len(wanted))
    weights = csr_array(
        (
            np.r_[gain[edges][edge] + 1, np.ones(len(wanted), np.int64)].astype(float),
            (np.r_[row[edge], np.arange(len(wanted))], np.r_[column, nobody]),
        ),
        shape=(len(wanted), int(places.sum()) + len(wanted)),
    )
    rows, columns = min_weight_full_bipartite_matching(weights, maximize=True)
    taken = columns < places.sum()
    person = np.repeat(np.arange(len(who)), places)[columns[taken]]
    keys = row * len(who) + place  # ascending: edges stand by need and provider
    found: Ints = edges[np.searchsorted(keys, rows[taken] * len(who) + person)]
    return np.sort(found)
