"""Commands about people: the first administrator of an installation; to end everybody's sign-ins."""

from __future__ import annotations

import argparse
import asyncio
import sys
from typing import Any

from api.commands.database import connected, owner, up_to_date
from api.noting import noted
from api.settings import Settings, Trouble

STEPS = """
{name} may administer this platform. The invitation is shown here once, and holds for 72 hours:

  {token}

  1  accountActivate   with this invitation and a password of his own: he is signed in, without a second factor
  2  totpBegin         with that password: the secret for an authenticator, as text and as a URI for a QR code
  3  totpConfirm       with its first code: ten recovery codes, told once; put them away
  4  signInWithPassword with {login}, the password and the next code: now he may act as ADMIN
"""


def admin(args: argparse.Namespace, settings: Settings) -> int:
    """Makes the first administrator, as the owner, and prints the invitation once. Raises Trouble for a second one."""
    if args.phone is not None and args.email is not None:
        raise Trouble("Give --phone or --email: one of them is enough.")
    name = args.name or _asked("Name")
    login = args.phone or args.email or _asked("Phone number or e-mail address")
    with connected(settings) as ready:
        up_to_date(ready)
        with noted(ready, "admin", another=args.another) as detail:
            masked, token = asyncio.run(_made(ready, name, login, detail, another=args.another))
        print(STEPS.format(name=name, token=token, login=masked))
    return 0


def _asked(what: str) -> str:
    if not sys.stdin.isatty():
        raise Trouble("Say who: --name, and --phone or --email.")
    return input(f"{what}: ")


async def _made(settings: Settings, name: str, login: str, detail: dict[str, Any], *, another: bool) -> tuple[str, str]:
    """The login, masked, and the invitation's token."""
    import asyncpg

    from models import clock
    from models.access import Actor, Role
    from models.database import Db
    from models.identity.accounts.actions import AdministratorExists, first_administrator
    from models.identity.accounts.rules import mask_login, read_login
    from models.problems import Problem

    connection = await asyncpg.connect(owner(settings), server_settings={"timezone": "Asia/Shanghai"})
    try:
        async with connection.transaction():
            db = Db(connection, Actor(Role.ADMIN), clock.now())
            account, person, token = await first_administrator(
                db, name, login, another=another, fictional=not settings.production
            )
        detail.update(account=account, person=person)
        return mask_login(*read_login(login, fictional=not settings.production)), token
    except AdministratorExists:
        raise Trouble("There is an administrator already: he invites others, or say --another.") from None
    except Problem as problem:
        raise Trouble(problem.message) from None
    finally:
        await connection.close()


def sign_ins(args: argparse.Namespace, settings: Settings) -> int:
    """Ends every sign-in, as the owner. Access tokens that are out count for a minute yet; API keys are not touched."""
    with connected(settings) as ready:
        up_to_date(ready)
        with noted(ready, "signIns", step=args.step) as detail:
            detail["ended"] = asyncio.run(_ended(ready))
        print(f"{detail['ended']} sign-ins were ended. Access tokens that are out end within a minute.")
    return 0


async def _ended(settings: Settings) -> int:
    import asyncpg

    from models import clock
    from models.access import Actor, Role
    from models.database import Db
    from models.identity.actions import end_everybodys

    connection = await asyncpg.connect(owner(settings), server_settings={"timezone": "Asia/Shanghai"})
    try:
        async with connection.transaction():
            return await end_everybodys(Db(connection, Actor(Role.ADMIN), clock.now()))
    finally:
        await connection.close()
