"""Old photos: the sweep that takes the files of photos, then their rows."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from app.database import SessionFactory
from domain import photos, ports


class OldPhotos:
    """What is older than it is kept, was never uploaded, or belongs to an erased account."""

    def __init__(self, sessions: SessionFactory, clock: ports.Clock, pictures: ports.PhotoStore, *, kept: timedelta) -> None:
        self._sessions = sessions
        self._clock = clock
        self._pictures = pictures
        self._kept = kept

    async def sweep(self) -> None:
        """However much there is. Raises OutOfReach: rows whose files could not be deleted stay, and are found again."""
        count = photos.BATCH
        while count == photos.BATCH:
            now = self._clock.now()
            async with self._sessions.begin() as session:
                count = await photos.mark_old(session, before=now - self._kept, now=now)
        found = await self._take_due()
        while len(found) == photos.BATCH:
            found = await self._take_due()

    async def _take_due(self) -> list[UUID]:
        now = self._clock.now()
        async with self._sessions() as session:
            due = await photos.list_due(session, now=now)
        for photo_id in due:
            await self._pictures.delete_folder(photos.folder(photo_id))
            async with self._sessions.begin() as session:
                await photos.forget_photo(session, photo_id, now=now)
        return due
