"""Where attachments are kept: a folder, or a bucket. One port (`models.files.ports.Storage`), chosen by one setting."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from api.settings import Settings, Trouble
from models.files.ports import Storage


def storage_of(settings: Settings) -> Storage:
    """The storage that WUSHE_STORAGE names: a folder's path, or `s3://bucket/prefix?endpoint=https://…&region=…`.

    Raises Trouble for a value that cannot be used. Nothing is reached yet.
    """
    named = settings.storage or str(settings.data / "files")
    if "://" not in named:
        from api.storage.local import Folder

        return Folder(Path(named))
    parts = urlsplit(named)
    more = dict(parse_qsl(parts.query))
    if parts.scheme != "s3" or not parts.netloc or not set(more) <= {"endpoint", "region"}:
        raise Trouble(
            "WUSHE_STORAGE must be a folder, or look like s3://bucket/prefix?endpoint=https://host&region=name."
        )
    if settings.storage_key is None or settings.storage_secret is None:
        raise Trouble("WUSHE_STORAGE names a bucket: give WUSHE_STORAGE_KEY and WUSHE_STORAGE_SECRET too.")
    endpoint = more.get("endpoint")
    if settings.production and endpoint is not None and not endpoint.startswith("https://"):
        raise Trouble("WUSHE_STORAGE: in production mode the endpoint begins with https://.")
    from api.storage.s3 import Bucket

    return Bucket(
        parts.netloc,
        parts.path.strip("/"),
        settings.storage_key,
        settings.storage_secret,
        endpoint=endpoint,
        region=more.get("region", "us-east-1"),
    )
