"""What the environment says about how to run: read once, checked at once, then only handed on."""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from urllib.parse import urlsplit

from api.rates import Rates
from models import vault
from models.audit_archive import FEWEST_MONTHS, KEPT_MONTHS

ROOT = Path(__file__).resolve().parent.parent
"""The checkout."""

SYSTEM = Path("/var/lib/wushe")
"""Where root's embedded servers live, a folder for each checkout: PostgreSQL refuses to run as root."""

LOOPBACK = ("127.0.0.1", "::1", "localhost")

FAKE_WECHAT = ("wx0000000000000000", "the secret of the fake WeChat, no secret at all")
"""The mini-program that the fake platform knows, and its secret."""


class Trouble(Exception):
    """An expected failure of setting up or running. Its text is the one sentence that an operator needs."""


class Stopped(BaseException):
    """Somebody asked this process to end: Ctrl-C, a service manager, a terminal that closed."""

    def __init__(self, number: int) -> None:
        self.number = number


class Mode(Enum):
    DEMO = "demo"
    TEST = "test"
    PRODUCTION = "production"


RATES = {
    Mode.PRODUCTION: Rates(person=20_000, anonymous=10_000, address=200_000, sign_in=30),
    Mode.DEMO: Rates(person=200_000, anonymous=100_000, address=1_000_000, sign_in=300),
    Mode.TEST: Rates(person=10**9, anonymous=10**9, address=10**9, sign_in=10**6),
}
"""What holds where the environment says nothing: a page of a list costs 20 to 200 points, the dearest query 1,000. In
no mode is there no limit."""


@dataclass(frozen=True)
class Settings:
    """How this process runs. Times are in seconds, sizes in connections."""

    mode: Mode
    host: str
    port: int
    data: Path
    """The folder of the embedded server and of the secrets that demo mode makes for itself."""
    database_url: str | None
    """PostgreSQL as the API's limited role. None: the embedded server."""
    owner_url: str | None
    """The same database as the role that owns the tables: migrations, partitions, seeding."""
    replica_urls: tuple[str, ...]
    """Streaming replicas, as the API's role. Queries may go there."""
    master_key: str | None
    """Wraps the data keys: 32 bytes in base64. None: a file that is made in the data folder, never in production."""
    old_master_keys: tuple[str, ...]
    """Master keys that data keys may still be wrapped by."""
    wechat_url: str
    """The WeChat platform, without a path; another one than the real one is a fake."""
    wechat_appid: str | None
    """The mini-program. None: nobody signs in by WeChat."""
    wechat_secret: str | None
    wechat_port: int | None
    """Where the fake platform listens, in the demo and by its own command. None: beside PORT."""
    pool_size: int
    statement_timeout: float
    acquire_timeout: float
    deadline: float
    metrics_public: bool
    log_level: str
    proxies: int
    """How many proxies of ours stand in front: so many entries of X-Forwarded-For are believed, from its end."""
    published_only: bool
    """Whether documents are taken only if a front end was published with them (./wushe documents)."""
    audit_months: int
    """How long the audit log is kept. The law asks for six months at least (网络安全法)."""

    storage: str | None
    """Where attachments are kept: a folder, or s3://bucket/prefix?endpoint=…&region=…. None: a folder in `data`."""
    storage_key: str | None
    storage_secret: str | None
    """What opens the bucket."""
    upload_files: int
    """How many files a request may bring."""
    upload_bytes: int
    """How large each of them may be."""
    rates: Rates
    """What everybody may spend in a minute."""
    connections: int
    """How many HTTP connections may be open at once."""
    connections_each: int | None
    """How many of them of one address; None behind proxies, which all connections come from."""
    origins: tuple[str, ...]
    """Sites whose pages may ask with a browser, such as https://wushe.example; nobody else's may."""
    open_most: int
    """Sockets and streams that may be open in a process."""
    open_each: int
    """Those of one network address, and of one caller. Whole offices and networks of phones share an address."""
    hsts: int
    """Seconds for which browsers shall ask by TLS only; 0 where no TLS stands in front."""

    @classmethod
    def from_env(cls, env: Mapping[str, str] | None = None) -> Settings:
        """Reads the environment. Raises Trouble, naming the variable, for a value that cannot be used."""
        given = _Given(os.environ if env is None else env)
        mode = Mode(given.one_of("WUSHE_MODE", [m.value for m in Mode], Mode.DEMO.value))
        made = cls(
            mode=mode,
            host=given.text("HOST") or "127.0.0.1",
            port=given.whole("PORT", 8000, 1, 65535),
            data=_folder(given.text("WUSHE_DATA")),
            database_url=given.postgres("DATABASE_URL"),
            owner_url=given.postgres("DATABASE_OWNER_URL"),
            replica_urls=given.many_postgres("DATABASE_REPLICA_URLS"),
            master_key=given.secret("WUSHE_MASTER_KEY"),
            old_master_keys=tuple((given.secret("WUSHE_MASTER_KEYS_OLD") or "").replace(",", " ").split()),
            wechat_url=given.web("WUSHE_WECHAT_URL") or "https://api.weixin.qq.com",
            wechat_appid=given.text("WUSHE_WECHAT_APPID"),
            wechat_secret=given.secret("WUSHE_WECHAT_SECRET"),
            wechat_port=given.whole("WECHAT_PORT", 1, 1, 65535) if given.text("WECHAT_PORT") else None,
            pool_size=given.whole("WUSHE_POOL_SIZE", 20, 1, 1000),
            statement_timeout=given.seconds("WUSHE_STATEMENT_TIMEOUT", 5.0),
            acquire_timeout=given.seconds("WUSHE_ACQUIRE_TIMEOUT", 2.0),
            deadline=given.seconds("WUSHE_DEADLINE", 5.0),
            metrics_public=given.one_of("WUSHE_METRICS", ["private", "public"], "private") == "public",
            log_level=given.one_of("WUSHE_LOG", ["debug", "info", "warning", "error"], "info"),
            proxies=given.whole("WUSHE_PROXIES", 0, 0, 10),
            published_only=given.one_of("WUSHE_DOCUMENTS", ["open", "trusted"], "open") == "trusted",
            audit_months=given.whole("WUSHE_AUDIT_MONTHS", KEPT_MONTHS, FEWEST_MONTHS, 1200),
            storage=given.storage("WUSHE_STORAGE"),
            storage_key=given.secret("WUSHE_STORAGE_KEY"),
            storage_secret=given.secret("WUSHE_STORAGE_SECRET"),
            upload_files=given.whole("WUSHE_UPLOAD_FILES", 5, 1, 20),
            upload_bytes=given.whole("WUSHE_UPLOAD_BYTES", 10_000_000, 1_000, 100_000_000),
            rates=given.rates(RATES[mode]),
            connections=given.whole("WUSHE_CONNECTIONS", 4_000, 1, 100_000),
            connections_each=None
            if given.whole("WUSHE_PROXIES", 0, 0, 10)
            else given.whole("WUSHE_CONNECTIONS_EACH", 256 if mode is Mode.PRODUCTION else 4_000, 1, 100_000),
            origins=given.origins("WUSHE_ORIGINS"),
            open_most=given.whole("WUSHE_OPEN", 10_000, 1, 1_000_000),
            open_each=given.whole("WUSHE_OPEN_EACH", 200, 1, 1_000_000),
            hsts=given.whole("WUSHE_HSTS", 0, 0, 63_072_000),
        )
        made._check()
        if given.text("WUSHE_MODE") is None and (made.database_url is not None or made.host not in LOOPBACK):
            # Demo mode hands out tokens and lets requests set the clock: nobody slips into it with data of his own.
            why = "DATABASE_URL is set" if made.database_url is not None else f"HOST={made.host} is open to others"
            raise Trouble(f"{why}: say WUSHE_MODE=production, or WUSHE_MODE=demo if you mean it.")
        return made

    @property
    def production(self) -> bool:
        return self.mode is Mode.PRODUCTION

    def faking(self, url: str) -> Settings:
        """The same, with a fake WeChat platform at that address."""
        appid, secret = FAKE_WECHAT
        return replace(self, wechat_url=url, wechat_appid=appid, wechat_secret=secret)

    def master(self) -> str:
        """The master key: 32 bytes in base64.

        Outside production one is made when none is given and kept in the data folder, so that what it wraps outlives a
        restart and every process on the folder agrees. Raises Trouble when the folder cannot hold it.
        """
        made = base64.urlsafe_b64encode(secrets.token_bytes(vault.KEY_BYTES)).decode()
        return self.master_key or keep(self.data / "master-key", made)

    def unlock(self) -> None:
        """Gives the process its master keys. Raises Trouble for one that is malformed."""
        vault.unlock(*(_master(key) for key in (self.master(), *self.old_master_keys)))

    def _check(self) -> None:
        for key in (self.master_key, *self.old_master_keys):
            if key is not None:
                _master(key)
        if self.database_url is None and self.owner_url is not None:
            raise Trouble("DATABASE_OWNER_URL is set but DATABASE_URL is not: give both, or neither.")
        if self.database_url is None and self.replica_urls:
            raise Trouble("DATABASE_REPLICA_URLS is set but DATABASE_URL is not: replicas need their primary.")
        if (self.wechat_appid is None) != (self.wechat_secret is None):
            raise Trouble("WUSHE_WECHAT_APPID and WUSHE_WECHAT_SECRET: give both, or neither.")
        if self.production and not self.wechat_url.startswith("https://"):
            raise Trouble("Production mode needs a WUSHE_WECHAT_URL that begins with https://.")
        if self.production:
            for name, value in (("WUSHE_MASTER_KEY", self.master_key), ("DATABASE_URL", self.database_url)):
                if value is None:
                    raise Trouble(f"Production mode needs {name}.")


def _master(text: str) -> bytes:
    try:
        secret = base64.b64decode(text.strip().replace("-", "+").replace("_", "/"), validate=True)
    except ValueError:
        secret = b""
    if len(secret) != vault.KEY_BYTES:
        raise Trouble("A master key is 32 bytes in base64: make one with ./wushe keys new.")
    return secret


def default_data() -> Path:
    """Where data lies when nobody said: in the checkout; for root, in the checkout's system folder."""
    return system_folder(ROOT) if os.geteuid() == 0 else ROOT / ".wushe"


def system_folder(of: Path) -> Path:
    """The one folder under /var/lib/wushe that belongs to a checkout, or to a data folder named by root."""
    return SYSTEM / hashlib.sha256(os.fsencode(of)).hexdigest()[:16]


def keep(path: Path, text: str) -> str:
    """Writes a secret file that only this user can read, unless it is there already; answers what the file says.

    Two processes may come here at once: both get the same answer. Raises Trouble when the file cannot be made.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
            descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
            try:
                with open(descriptor, "w") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())  # what it opens must not outlive it
                os.link(fresh, path)
                _settle(path.parent)
            except FileExistsError:
                pass
            finally:
                fresh.unlink()
        return path.read_text()
    except OSError as problem:
        raise unusable(path.parent, problem) from problem


def _settle(folder: Path) -> None:
    """Waits until a folder's own entries are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def unusable(folder: Path, problem: OSError) -> Trouble:
    """The sentence for a folder in which something could not be made or read."""
    reason = (problem.strerror or str(problem)).lower()
    return Trouble(f"The folder {folder} cannot be used: {reason}. Set WUSHE_DATA to a folder of yours.")


def _folder(given: str | None) -> Path:
    if given is None:
        return default_data()
    # A relative folder means what it meant where the command was typed, not the checkout that it runs in.
    return Path(os.path.abspath(Path(os.environ.get("WUSHE_CWD", ".")) / Path(given).expanduser()))


class _Given:
    """The environment, asked by name and kind. An empty variable counts as not given."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self.env = env

    def text(self, name: str) -> str | None:
        return self.env.get(name, "").strip() or None

    def secret(self, name: str) -> str | None:
        """A secret from the variable, or from the file that NAME_FILE names."""
        path = self.text(f"{name}_FILE")
        if path is None:
            return self.text(name)
        try:
            return Path(path).read_text().strip() or None
        except OSError as problem:
            raise Trouble(f"{name}_FILE cannot be read: {str(problem.strerror).lower()}.") from problem

    def one_of(self, name: str, allowed: list[str], default: str) -> str:
        found = self.text(name) or default
        if found not in allowed:
            raise Trouble(f"{name} is {found!r}: it must be one of {', '.join(allowed)}.")
        return found

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        found = self.text(name) or str(default)
        if not found.isascii() or not found.isdigit() or not low <= int(found) <= high:
            raise Trouble(f"{name} is {found!r}: it must be a whole number from {low} to {high}.")
        return int(found)

    def seconds(self, name: str, default: float) -> float:
        found = self.text(name)
        try:
            value = default if found is None else float(found)
        except ValueError:
            value = -1.0
        if not 0 < value <= 3600:
            raise Trouble(f"{name} is {found!r}: it must be a number of seconds, above 0 and at most 3600.")
        return value

    def rates(self, default: Rates) -> Rates:
        """`WUSHE_RATE_PERSON` and the others. The dearest operation must fit into each."""
        most = 10**12
        return Rates(
            person=self.whole("WUSHE_RATE_PERSON", default.person, 2_000, most),
            anonymous=self.whole("WUSHE_RATE_ANONYMOUS", default.anonymous, 2_000, most),
            address=self.whole("WUSHE_RATE_ADDRESS", default.address, 2_000, most),
            sign_in=self.whole("WUSHE_RATE_SIGN_IN", default.sign_in, 1, most),
        )

    def origins(self, name: str) -> tuple[str, ...]:
        given = (self.text(name) or "").replace(",", " ").split()
        for each in given:
            parts = urlsplit(each)
            if parts.scheme not in ("http", "https") or not parts.netloc or each != f"{parts.scheme}://{parts.netloc}":
                raise Trouble(f"{name} has {each!r}: an origin looks like https://wushe.example, without a path.")
        return tuple(given)

    def web(self, name: str) -> str | None:
        found = self.text(name)
        if found is not None and (urlsplit(found).scheme not in ("http", "https") or not urlsplit(found).netloc):
            raise Trouble(f"{name} is {found!r}: it must look like https://api.weixin.qq.com.")
        return None if found is None else found.rstrip("/")

    def storage(self, name: str) -> str | None:
        found = self.text(name)
        return found if found is None or "://" in found else str(_folder(found))

    def postgres(self, name: str) -> str | None:
        found = self.text(name)
        return None if found is None else self._url(name, found)

    def many_postgres(self, name: str) -> tuple[str, ...]:
        return tuple(self._url(name, part.strip()) for part in (self.text(name) or "").split(",") if part.strip())

    def _url(self, name: str, url: str) -> str:
        # The value is not repeated: it holds a password.
        if urlsplit(url).scheme not in ("postgresql", "postgres") or not urlsplit(url).path.strip("/"):
            raise Trouble(f"{name} must look like postgresql://user:password@host:5432/database.")
        return url.replace("postgres://", "postgresql://", 1)
