"""A rider's photos: asking where to send one, looking at it."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from domain import ids
from resolvers import photos
from schema import access, errors, trip_enums
from schema.customer.reservations import KEY
from schema.types.photos import Photo, PhotoUpload


@strawberry.input(description="What the photo is to show.")
class RequestPhotoUploadInput:
    purpose: trip_enums.PhotoPurpose = field(description="It shows nothing else.")
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The photo may be sent.")
class RequestPhotoUploadSuccess:
    upload: PhotoUpload = field(description="Where to.")


RequestPhotoUploadResult = Annotated[
    RequestPhotoUploadSuccess | errors.InvalidInputError | errors.NotFoundError | errors.IdempotencyConflictError,
    strawberry.union("RequestPhotoUploadResult", description="What asking to send a photo can answer."),
]


@strawberry.type
class PhotoQueries:
    @access.query(access.RIDERS, "One of the rider's photos; null when there is none of that id.")
    async def photo(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of the photo.")]
    ) -> Photo | None:
        row = await photos.find_photo(info.context, ids.decode(id, ids.PHOTO))
        return None if row is None else Photo.of(row)


@strawberry.type
class PhotoMutations:
    @access.mutation(access.RIDERS, "Ask where to send a photo: 30 an hour. Send it there within 10 minutes, then name it.")
    async def request_photo_upload(
        self, info: strawberry.Info, input: Annotated[RequestPhotoUploadInput, access.INPUT]
    ) -> RequestPhotoUploadResult | None:
        upload = await photos.request_photo_upload(info.context, purpose=input.purpose, idempotency_key=input.idempotency_key)
        return RequestPhotoUploadSuccess(upload=PhotoUpload.of(upload))
