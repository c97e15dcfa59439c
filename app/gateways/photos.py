"""Where pictures lie: a folder of this machine, a bucket that speaks S3, or the memory of this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from functools import cached_property
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import ObjectStore, S3Store, from_url

from domain import errors

#: one call, its retries within
SECONDS = 15.0
_ATTEMPT = timedelta(seconds=5)
_RETRYING = timedelta(seconds=10)


class ObjectPhotos:
    """Keys are paths below the place that the URL names. Credentials of a bucket come from the environment (`AWS_…`)."""

    def __init__(self, url: str) -> None:
        self._url = url

    @classmethod
    def at(cls, url: str | None, data_dir: Path) -> ObjectPhotos:
        """`file://…`, `s3://…` or `memory:///`; None: a folder of the data directory."""
        return cls(url or (data_dir / "photos").absolute().as_uri())

    @cached_property
    def _store(self) -> ObjectStore:
        # Made when it is first used: who only builds a runtime makes no folder.
        if self._url.startswith("file:"):
            return from_url(self._url, mkdir=True, automatic_cleanup=True)
        if self._url.startswith("memory:"):
            return from_url(self._url)
        # An address without TLS is used only where the environment names one (AWS_ENDPOINT_URL).
        return S3Store.from_url(
            self._url,
            client_options={"timeout": _ATTEMPT, "connect_timeout": _ATTEMPT, "allow_http": True},
            retry_config={"max_retries": 2, "retry_timeout": _RETRYING},
        )

    async def put(self, key: str, content: bytes) -> None:
        async with _reached():
            with suppress(AlreadyExistsError):
                await obstore.put_async(self._store, key, content, mode="create")

    async def get(self, key: str) -> bytes:
        async with _reached():
            try:
                found = await obstore.get_async(self._store, key)
                return bytes(await found.bytes_async())
            except FileNotFoundError as error:
                raise errors.NotFound("There is no such picture.") from error

    async def delete(self, key: str) -> None:
        async with _reached():
            await self._delete([key])

    async def delete_folder(self, folder: str) -> None:
        async with _reached():
            async for batch in obstore.list(self._store, prefix=folder):
                await self._delete([found["path"] for found in batch])

    async def _delete(self, keys: list[str]) -> None:
        for key in keys:
            with suppress(FileNotFoundError):
                await obstore.delete_async(self._store, key)


@asynccontextmanager
async def _reached() -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(SECONDS):
            yield
    except (BaseError, OSError, TimeoutError) as error:
        raise errors.OutOfReach("Pictures cannot be stored or fetched just now. Try again.") from error
