"""A bucket as a storage: Amazon's S3, or anything that speaks as it does (OSS, COS, MinIO, Ceph).

The library is only imported where a bucket is configured. A put is atomic: an object is there wholly or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import S3Store

from models.files.ports import NoStorage, NotStored

if TYPE_CHECKING:
    from obstore.store import S3Config

WAIT = timedelta(seconds=8)
"""How long one request to the bucket may take, retries and all: a verb waits ten seconds for its file."""


class Bucket:
    """Objects below a prefix of a bucket."""

    def __init__(self, bucket: str, prefix: str, key: str, secret: str, *, endpoint: str | None, region: str) -> None:
        plain = endpoint is not None and endpoint.startswith("http://")
        config: S3Config = {
            "region": region,
            "access_key_id": key,
            "secret_access_key": secret,
            "virtual_hosted_style_request": endpoint is None,
        }
        if endpoint is not None:
            config["endpoint"] = endpoint
        self.store = S3Store(
            bucket,
            prefix=prefix,
            config=config,
            client_options={"allow_http": plain, "timeout": WAIT, "connect_timeout": timedelta(seconds=3)},
            retry_config={"max_retries": 2, "retry_timeout": WAIT},
        )
        self.tls = httpx.create_ssl_context()

    def write(self, name: str, parts: Iterable[bytes]) -> None:
        whole = b"".join(parts)  # at most a file of 10 MB: with its length known it is one request, atomic
        try:
            obstore.put(self.store, name, whole, use_multipart=False)
        except (BaseError, OSError) as no:
            raise NoStorage(type(no).__name__) from no

    def read(self, name: str) -> Iterator[bytes]:
        try:
            for part in obstore.get(self.store, name).stream(min_chunk_size=262_144):
                yield bytes(part)
        except (NotFoundError, FileNotFoundError):
            raise NotStored(name) from None
        except (BaseError, OSError) as no:
            raise NoStorage(type(no).__name__) from no

    def delete(self, name: str) -> None:
        # not the library's own delete: that is S3's deletion of many at once, which several compatible stores lack
        try:
            address = obstore.sign(self.store, "DELETE", name, WAIT)
            answer = httpx.delete(address, timeout=WAIT.total_seconds(), verify=self.tls)
        except (BaseError, OSError, httpx.HTTPError) as no:
            raise NoStorage(type(no).__name__) from no
        if answer.status_code not in (200, 204, 404):
            raise NoStorage(f"the bucket answered {answer.status_code}")

    def older(self, than: datetime) -> Iterator[str]:
        try:
            for page in obstore.list(self.store, chunk_size=500):
                yield from (entry["path"] for entry in page if entry["last_modified"] < than)
        except (BaseError, OSError) as no:
            raise NoStorage(type(no).__name__) from no
