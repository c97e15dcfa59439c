"""Archives: everything that is known about a rider as a ZIP file, written piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import orjson
from sqlalchemy import RowMapping, text
from sqlalchemy.dialects.postgresql import Range

from app.database import SessionFactory
from domain import errors, exports, personal_data, photos, ports
from domain.exports import ClaimedExport

#: A snapshot for all tables. It writes nothing, so nobody who follows the event log waits for its end.
_SNAPSHOT = text("set transaction isolation level repeatable read, read only")
_README = """Everything that Nimrod knows about you, as of {at} (UTC).

One file holds the rows of one table, as JSON: instants are in UTC, amounts of money in cents or the like (`_minor`) with
their currency beside them, positions in degrees (`lat`, `lon`), ids of rows as UUIDs. Pictures lie in `photos/`, by the id
of their row.

{files}
"""


class _Superseded(Exception):
    """Another worker has the export, or the rider is gone."""


class _Sink:
    """What the ZIP writer writes to; it can neither seek nor tell, so nothing of it needs to stay."""

    def __init__(self) -> None:
        self._waiting = bytearray()
        self.written = 0

    def write(self, data: bytes) -> int:
        self._waiting += data
        self.written += len(data)
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self, *, is_last: bool = False) -> list[bytes]:
        """Full parts; with the last, what is left as well."""
        parts = []
        while len(self._waiting) >= exports.PART_BYTES or (is_last and self._waiting):
            parts.append(bytes(self._waiting[: exports.PART_BYTES]))
            del self._waiting[: exports.PART_BYTES]
        return parts


class Archivist:
    """Builds archives: a snapshot is read, and what is ready of the file is written beside it in short transactions."""

    def __init__(self, sessions: SessionFactory, clock: ports.Clock, pictures: ports.PhotoStore, *, kept: timedelta) -> None:
        self._sessions = sessions
        self._pictures = pictures
        self._clock = clock
        self._kept = kept

    async def build_export(self, export_id: UUID) -> None:
        """Does nothing for one that is finished or gone; a crash leaves it for the next attempt."""
        async with self._sessions.begin() as session:
            claimed = await exports.claim_export(session, export_id)
        if claimed is None:
            return
        try:
            size = await self._write(claimed)
        except _Superseded:
            return
        async with self._sessions.begin() as session:
            now = self._clock.now()
            if size is None:
                await exports.fail_export(session, claimed, now=now)
            else:
                await exports.finish_export(session, claimed, size_bytes=size, kept=self._kept, now=now)

    async def sweep_exports(self) -> None:
        async with self._sessions.begin() as session:
            await exports.sweep_exports(session, now=self._clock.now())

    async def _write(self, claimed: ClaimedExport) -> int | None:
        """Its size; None when it is larger than an archive may be."""
        sink, number = _Sink(), 0
        now = self._clock.now()
        archive = ZipFile(sink, "w", ZIP_DEFLATED, compresslevel=zlib.Z_DEFAULT_COMPRESSION)
        archive.writestr(_entry("README.txt", now), _readme(now))
        async with self._sessions() as reader:
            await reader.execute(_SNAPSHOT)
            for entry in personal_data.riders():
                with archive.open(_entry(f"{entry.table}.json", now), "w") as file:
                    file.write(b"[")
                    separator = b"\n"
                    async for rows in exports.read_rows(reader, entry, claimed.customer_id):
                        for row in rows:
                            file.write(separator + _encoded(row))
                            separator = b",\n"
                        number = await self._store(claimed, number, sink.take())
                        if number > exports.MAX_PARTS:
                            return None
                    file.write(b"\n]\n")
            stored = await photos.list_stored(reader, claimed.customer_id)
        # After the session: nobody waits for the store with one open.
        async for photo_id, content in self._read_pictures(stored):
            archive.writestr(_entry(f"photos/{photo_id}.jpg", now, ZIP_STORED), content)
            number = await self._store(claimed, number, sink.take())
            if number > exports.MAX_PARTS:
                return None
        archive.close()
        await self._store(claimed, number, sink.take(is_last=True))
        return sink.written

    async def _read_pictures(self, stored: Sequence[tuple[UUID, str]]) -> AsyncIterator[tuple[UUID, bytes]]:
        for photo_id, key in stored:
            try:
                yield photo_id, await self._pictures.get(key)
            except errors.NotFound:
                continue  # forgotten since the snapshot

    async def _store(self, claimed: ClaimedExport, number: int, parts: list[bytes]) -> int:
        """The number of the next part."""
        for content in parts:
            async with self._sessions.begin() as session:
                if not await exports.add_part(session, claimed, number, content):
                    raise _Superseded
            number += 1
        return number


def _entry(name: str, now: datetime, compress_type: int = ZIP_DEFLATED) -> ZipInfo:
    entry = ZipInfo(name, now.timetuple()[:6])
    entry.compress_type = compress_type
    return entry


def _readme(now: datetime) -> str:
    files = []
    for entry in personal_data.riders():
        left_out = [f"    without `{column}`: {why}" for column, why in entry.withheld.items()]
        files.append("\n".join([f"{entry.table}.json", f"    {entry.meaning}", *left_out]))
    return _README.format(at=now.isoformat(timespec="seconds"), files="\n\n".join(files))


def _encoded(row: RowMapping) -> bytes:
    return orjson.dumps(dict(row), default=_plain, option=orjson.OPT_UTC_Z | orjson.OPT_PASSTHROUGH_DATACLASS)


def _plain(value: object) -> object:
    if isinstance(value, Range):
        return None if value.isempty else {"from": value.lower, "to": value.upper}
    if isinstance(value, bytes):
        return value.hex()
    return str(value)
