"""The commands behind ./wushe: which there are, and how a failure is said.

Bodies live in `api/commands` and import what they need when they run, so that `help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from types import FrameType

from api.settings import Settings, Stopped, Trouble
from models.vault import Kind

Arguments = argparse.Namespace
Describe = Callable[[argparse.ArgumentParser], object]


@dataclass(frozen=True)
class Command:
    name: str
    line: str
    """What it does, in one line of help."""
    module: str
    """Under api.commands; its function has the command's name, with underscores."""
    arguments: Describe = lambda parser: None
    passes_on: bool = False
    """Whether arguments that we do not know go on to what the command runs."""


def _seed(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--scale", default="demo", help="demo, city, or a fraction of the city such as 1/100")


def _explain(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="a .graphql document")
    parser.add_argument("--as", dest="role", default="public", metavar="ROLE", help="whose eyes: a demo account's role")


def _admin(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--name", help="the full name; asked for when it is not given")
    parser.add_argument("--phone", help="what he signs in by: a mobile number")
    parser.add_argument("--email", help="or an e-mail address")
    parser.add_argument("--another", action="store_true", help="also when there is an administrator already")


def _export_schema(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when schema.graphql differs")


def _access(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when docs/access.md differs")


def _audit(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "step", choices=["verify", "head", "seal"], help="prove the log; print its newest seal; seal what is not yet"
    )
    parser.add_argument("--since", metavar="MONTH", help="verify: only from this month on, such as 2026-11")
    parser.add_argument("--head", metavar="HASH", help="verify: what head printed earlier must be among the seals")


def _test(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", choices=["default", "thorough"], default="default", help="how many examples")


def _keys(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    steps.add_parser("new", help="print a new master key, and keep it nowhere")
    steps.add_parser("list", help="list the data keys: kind, id, age, how many values each has sealed")
    for name, line in (("rotate", "make new data keys"), ("reseal", "seal anew what older keys have sealed")):
        step = steps.add_parser(name, help=line)
        step.add_argument(
            "kind", choices=[*(k.value for k in Kind), "all"], metavar="KIND", help="of which kind, or all"
        )
    steps.add_parser("retire", help="end the older keys of which nothing is left")
    steps.add_parser("rewrap", help="wrap the data keys by a new WUSHE_MASTER_KEY (the old: WUSHE_MASTER_KEYS_OLD)")


def _documents(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", metavar="STEP", required=True)
    step = steps.add_parser("publish", help="trust the documents of a manifest, as a release of a front end")
    step.add_argument("file", help="Apollo's manifest, or an object of SHA-256 hashes and texts")
    retire = steps.add_parser("retire", help="end a release: its documents are trusted no more")
    for each in (step, retire):
        each.add_argument("--client", required=True, metavar="NAME", help="the front end, such as miniprogram")
        each.add_argument("--version", required=True, metavar="V", help="its version, such as 1.4.0")
    steps.add_parser("list", help="list the releases, live and retired")
    step = steps.add_parser("check", help="hold every live document, or manifests, against the schema")
    step.add_argument("files", nargs="*", metavar="FILE", help="manifests; without any, what the database has live")


def _sign_ins(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", choices=["end-all"], help="end every sign-in: everybody signs in anew")


COMMANDS = (
    Command("demo", "start everything with demo data: PostgreSQL, the API, the worker", "running"),
    Command("serve", "serve the API on HOST:PORT", "running"),
    Command("worker", "run jobs and relay events", "running"),
    Command("wechat-fake", "serve a fake of the WeChat platform on WECHAT_PORT", "running"),
    Command("migrate", "bring the database to the newest migration", "database"),
    Command("seed", "load Shenyang's divisions and invented data into an empty database", "database", _seed),
    Command(
        "token",
        "print a token for the demo account of a role",
        "database",
        lambda p: p.add_argument("role", help="for example community-staff"),
    ),
    Command("admin", "make the first administrator, and print the invitation to the account", "people", _admin),
    Command("sign-ins", "end everybody's sign-ins, as after a breach", "people", _sign_ins),
    Command("explain", "print a query's statement, its plan and its cost in points", "database", _explain),
    Command("export-schema", "write schema.graphql from the code", "checking", _export_schema),
    Command("access", "write docs/access.md, who may see and do what, from the code", "checking", _access),
    Command(
        "backup",
        "write the embedded server, running or not, to one file",
        "copies",
        lambda p: p.add_argument("file", help="to write; must not exist"),
    ),
    Command(
        "restore",
        "make an empty data folder from a backup file",
        "copies",
        lambda p: p.add_argument("file", help="made by backup"),
    ),
    Command("audit", "prove the audit log, or name the first row that was changed", "audit", _audit),
    Command("keys", "list and rotate the keys that personal data are sealed with", "keys", _keys),
    Command(
        "documents", "publish, list, retire and check the documents of released front ends", "documents", _documents
    ),
    Command("doctor", "tell what is configured, reachable and of what version", "doctor"),
    Command("test", "run the tests; other arguments go to pytest", "checking", _test, passes_on=True),
    Command("check", "run everything that CI runs: lint, types, contracts, schema, migrations, tests", "checking"),
    Command("bench", "run the benchmark on the city data", "checking", passes_on=True),
    Command("help", "print this", "help"),
)


STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: list[str] | None = None) -> int:
    """Runs one command; answers its exit code. An expected failure is one sentence on standard error and a 1."""
    parser = parsers()
    args, rest = parser.parse_known_args(arguments)
    command = next((c for c in COMMANDS if c.name == args.command), None)
    if command is None or command.name == "help":
        print(usage())
        return 0
    if rest and not command.passes_on:
        parser.error(f"{command.name} does not know {' '.join(rest)}")
    args.rest = rest
    for number in STOPS:
        signal.signal(number, _stop)
    try:
        body = getattr(import_module(f"api.commands.{command.module}"), command.name.replace("-", "_"))
        return int(body(args, Settings.from_env()))
    except Trouble as trouble:
        return _say(str(trouble))
    except OSError as problem:
        if problem.errno not in (errno.ENOSPC, errno.EACCES, errno.EROFS, errno.EDQUOT):
            raise
        return _say(f"{problem.filename or 'A file'} cannot be written: {str(problem.strerror).lower()}.")
    except Stopped as stopped:
        return 128 + stopped.number


def usage() -> str:
    """Every command with its line, and the variables that matter."""
    lines = "\n".join(f"  {c.name:<14} {c.line}" for c in COMMANDS)
    return f"""Usage: ./wushe COMMAND

{lines}

Variables: PORT, HOST, WUSHE_DATA (the data folder), WUSHE_MODE (demo, test, production), DATABASE_URL and
DATABASE_OWNER_URL (a PostgreSQL 18 of your own), DATABASE_REPLICA_URLS, WUSHE_MASTER_KEY or WUSHE_MASTER_KEY_FILE
(32 bytes in base64), WUSHE_WECHAT_APPID and WUSHE_WECHAT_SECRET (a mini-program), WUSHE_WECHAT_URL and WECHAT_PORT
(a fake of WeChat), WUSHE_DOCUMENTS (open, or trusted: published documents only), WUSHE_VENV.
'./wushe COMMAND --help' tells a command's arguments."""


def parsers() -> argparse.ArgumentParser:
    """The command line, one sub-parser for each command."""
    parser = argparse.ArgumentParser(prog="./wushe", usage="./wushe COMMAND (./wushe help lists them)")
    chosen = parser.add_subparsers(dest="command", metavar="COMMAND", help=argparse.SUPPRESS)
    for command in COMMANDS:
        command.arguments(chosen.add_parser(command.name, description=command.line, prog=f"./wushe {command.name}"))
    return parser


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


def _say(sentence: str) -> int:
    print(f"wushe: {sentence}", file=sys.stderr, flush=True)
    return 1


if __name__ == "__main__":
    sys.exit(main())
