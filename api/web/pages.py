"""Pages for people. GraphiQL comes from files of our own: no request leaves the machine."""

import gzip
import hashlib
import secrets
from datetime import datetime, timedelta
from functools import cached_property
from html import escape
from pathlib import Path
from string import Template

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from models import clock

HERE = Path(__file__).parent

# The demo accounts, by slug, as the role switcher offers them.
ROLES = {
    "person": "个人",
    "resident": "居民",
    "volunteer": "志愿者",
    "social-worker": "社会工作者",
    "grid-officer": "网格员",
    "community-staff": "社区工作人员",
    "ngo-staff": "社会组织工作人员",
    "fund-maker": "基金经办",
    "fund-checker": "基金复核",
    "fund-authoriser": "基金审批",
    "fund-reporter": "基金报表",
    "district-viewer": "区级查看",
    "city-viewer": "市级查看",
    "department": "部门",
    "party-secretary": "党组织书记",
    "auditor": "审计",
    "admin": "平台管理员",
    "public": "公众",
}

CONTENT_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".graphql": "text/plain; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
}

# Nothing of a foreign origin. data: is for the small pictures inside the style sheet.
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{nonce}'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class StaticFile:
    """A file that is read once, with its compressed form made when it is first asked for."""

    def __init__(self, path: Path) -> None:
        self.body = path.read_bytes()
        self.digest = hashlib.sha256(self.body).hexdigest()[:16]
        self.content_type = CONTENT_TYPES[path.suffix]

    @cached_property
    def gzipped(self) -> bytes:
        return gzip.compress(self.body, compresslevel=6, mtime=0)

    def respond(self, request: Request, cache_control: str) -> Response:
        zipped = "gzip" in request.headers.get("accept-encoding", "")
        etag = f'"{self.digest}-gzip"' if zipped else f'"{self.digest}"'
        headers = {"ETag": etag, "Cache-Control": cache_control, "Vary": "Accept-Encoding"}
        if etag in request.headers.get("if-none-match", ""):
            return Response(status_code=304, headers=headers)
        headers |= {"Content-Encoding": "gzip"} if zipped else {}
        return Response(self.gzipped if zipped else self.body, headers=headers, media_type=self.content_type)


def filled(variables: str, now: datetime) -> str:
    """The variables of samples as they are handed out: with days around today, and an idempotency key of their own."""
    today = now.astimezone(clock.SHANGHAI).date()
    days = {
        "today": today,
        "yesterday": today - timedelta(days=1),
        "tomorrow": today + timedelta(days=1),
        "in_a_month": today + timedelta(days=30),
        "a_year_ago": (today - timedelta(days=335)).replace(day=1),
    }
    return Template(variables).substitute(days, key=f"sample-{secrets.token_hex(8)}")


def absent() -> Response:
    return Response("没有这个页面\n", status_code=404, media_type="text/plain")


def options() -> str:
    """The role switcher's choices, each with where its samples are."""
    lines = []
    for slug, label in ROLES.items():
        variables = f"{slug}.variables.json"
        has_variables = (HERE / "samples" / variables).exists()
        where = f' data-variables="/graphiql/samples/{variables}"' if has_variables else ""
        lines.append(
            f'<option value="{slug}" data-samples="/graphiql/samples/{slug}.graphql"{where}>{label}（{slug}）</option>'
        )
    return "".join(lines)


def documents(mode: str) -> list[str]:
    """The documents of the pages, which are released with the code: each of the samples, as the editor opens it."""
    return [] if mode == "production" else [p.read_text("utf-8") for p in (HERE / "samples").glob("*.graphql")]


def routes(mode: str, *, published_only: bool = False) -> list[Route]:
    """The routes of the pages. mode "demo" signs in as any role, others take a pasted token; "production" has none.

    `published_only`: the page says why nothing but the samples is answered.
    """
    if mode == "production":
        return []

    static = {path.name: StaticFile(path) for path in (HERE / "graphiql").glob("[a-zA-Z]*.*")}
    samples = {path.name: StaticFile(path) for path in (HERE / "samples").iterdir()}
    # The address changes with any of the files, so that a browser may keep them for a year.
    version = hashlib.sha256("".join(static[name].digest for name in sorted(static)).encode()).hexdigest()[:12]
    page = Template((HERE / "graphiql.html").read_text("utf-8"))

    async def home(request: Request) -> Response:
        return RedirectResponse("/graphiql", status_code=302)

    async def icon(request: Request) -> Response:
        """None: browsers ask for one of their own accord."""
        return Response(status_code=204, headers={"Cache-Control": "max-age=86400"})

    async def graphiql(request: Request) -> Response:
        nonce = secrets.token_urlsafe(16)
        html = page.substitute(
            mode=escape(mode),
            nonce=nonce,
            version=version,
            options=options(),
            token_hidden="hidden" if mode == "demo" else "",
            notice_hidden="" if published_only else "hidden",
        )
        headers = {"Content-Security-Policy": POLICY.format(nonce=nonce), "Cache-Control": "no-store"}
        return Response(html, media_type="text/html", headers=headers)

    async def static_file(request: Request) -> Response:
        file = static.get(request.path_params["name"])
        if file is None or request.path_params["version"] != version:
            return absent()
        return file.respond(request, "public, max-age=31536000, immutable")

    async def sample(request: Request) -> Response:
        name = request.path_params["name"]
        file = samples.get(name)
        if file is not None and name.endswith(".json"):
            headers = {"Cache-Control": "no-store"}
            return Response(filled(file.body.decode(), clock.now()), headers=headers, media_type=file.content_type)
        return file.respond(request, "no-cache") if file else absent()

    return [
        Route("/", home),
        Route("/favicon.ico", icon),
        Route("/graphiql", graphiql),
        Route("/graphiql/static/{version}/{name}", static_file),
        Route("/graphiql/samples/{name}", sample),
    ]
