"""Photos: what riders show."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import ids, photos
from domain.tables import PhotoState
from resolvers import photos as photo_resolvers
from schema import fields, trip_enums
from schema.nodes import Node


@strawberry.type(description="A photo that the rider asked to send. It shows one thing, once.")
class Photo(Node):
    purpose: trip_enums.PhotoPurpose = field(description="What it is to show.")
    state: trip_enums.PhotoState = field(description="Where it stands.")
    stored_at: datetime | None = field(description="When it was uploaded.")
    taken_at: datetime | None = field(description="As the camera said; null when it said nothing, or it is not uploaded.")
    used_at: datetime | None = field(description="When it showed what it was taken for; it can show nothing else since.")
    row: strawberry.Private[photos.Photo]

    @fields.resolved(
        "Where the picture is: a JPEG of 2,048 pixels a side at most. Whoever has the link sees it for 10 minutes. Null until it"
        " is uploaded."
    )
    def url(self, info: strawberry.Info) -> str | None:
        if self.row.state is not PhotoState.STORED:
            return None
        runtime = info.context.runtime
        return photo_resolvers.photo_url(runtime, self.row.id, runtime.clock.now())

    @classmethod
    def of(cls, row: photos.Photo) -> Photo:
        return cls(
            id=strawberry.ID(ids.encode(ids.PHOTO, row.id)),
            purpose=row.purpose,
            state=row.state,
            stored_at=row.stored_at,
            taken_at=row.taken_at,
            used_at=row.used_at,
            row=row,
        )


@strawberry.type(description="Where to send a photo, once.")
class PhotoUpload:
    photo_id: strawberry.ID = field(description="Names the photo in whatever it is to show, once it is uploaded.")
    url: str = field(description="Whoever has it may send the photo; it needs no token. The answer is JSON.")
    method: str = field(description="The HTTP method: `PUT`, with the file as its body.")
    max_bytes: int = field(description="Size of the file: 10 MiB. It may have 25 megapixels.")
    accepted_types: list[str] = field(description="Media types that are read, 10 at most.")
    expires_at: datetime = field(description="10 minutes after it was asked for.")

    @classmethod
    def of(cls, row: photo_resolvers.Upload) -> PhotoUpload:
        return cls(
            photo_id=strawberry.ID(ids.encode(ids.PHOTO, row.photo_id)),
            url=row.url,
            method="PUT",
            max_bytes=photos.MAX_BYTES,
            accepted_types=list(photos.ACCEPTED_TYPES),
            expires_at=row.expires_at,
        )
