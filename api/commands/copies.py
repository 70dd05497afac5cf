"""Backup and restore of the embedded server."""

from __future__ import annotations

import argparse
from dataclasses import replace

from api import embedded
from api.commands.database import file
from api.noting import noted
from api.settings import Settings, Trouble


def backup(args: argparse.Namespace, settings: Settings) -> int:
    """One compressed file, taken while the server serves."""
    if settings.database_url is not None:
        raise Trouble("backup is for the embedded server: copy a PostgreSQL of your own with its own tools.")
    target = file(args.file)
    with embedded.start(settings.data) as cluster, noted(replace(settings, owner_url=cluster.owner_url), "backup"):
        size = embedded.backup(cluster, target)
    print(f"{target}: {size / 1e6:,.1f} MB. The master key is not in it: keep {_key(settings)} apart from it.")
    return 0


def restore(args: argparse.Namespace, settings: Settings) -> int:
    """Into WUSHE_DATA, which must have no data yet."""
    if settings.database_url is not None:
        raise Trouble("restore is for the embedded server: unset DATABASE_URL.")
    place = embedded.restore(file(args.file), settings.data)
    with embedded.start(settings.data) as cluster, noted(replace(settings, owner_url=cluster.owner_url), "restore"):
        pass
    print(
        f"Restored into {place.folder}. With the master key that it was made with ({_key(settings)}),"
        " ./wushe demo or ./wushe serve uses it."
    )
    return 0


def _key(settings: Settings) -> str:
    """Where the master key is to be found."""
    return "WUSHE_MASTER_KEY" if settings.master_key is not None else str(settings.data / "master-key")
