"""Privacy: archives, consents, and what keeps an account from being erased."""

from __future__ import annotations

from datetime import datetime

import strawberry
from strawberry import field

from domain import consents, erasure, exports, ids
from resolvers import privacy
from schema import enums, fields
from schema.nodes import Node


@strawberry.type(description="An archive of everything that is known about the rider: a ZIP file of JSON files.")
class DataExport(Node):
    state: enums.ExportState = field(description="What became of it.")
    requested_at: datetime = field(description="When it was asked for.")
    finished_at: datetime | None = field(description="When it was ready, or given up.")
    expires_at: datetime | None = field(description="Until when it may be downloaded, once it is ready.")
    size_bytes: int | None = field(description="Of the archive; 1 GiB at most.")
    row: strawberry.Private[exports.Export]

    @fields.resolved("Where to download it, until `expiresAt`: whoever has the link needs nothing else. Null unless it is ready.")
    def download_url(self, info: strawberry.Info) -> str | None:
        return privacy.download_url(info.context, self.row)

    @classmethod
    def of(cls, row: exports.Export) -> DataExport:
        return cls(
            id=strawberry.ID(ids.encode(ids.EXPORT, row.id)),
            state=row.state,
            requested_at=row.requested_at,
            finished_at=row.finished_at,
            expires_at=row.expires_at,
            size_bytes=row.size_bytes,
            row=row,
        )


@strawberry.type(description="What the rider said about one purpose, at one time.")
class Consent:
    purpose: enums.ConsentPurpose = field(description="What it is about.")
    document_version: str = field(description="Of the text that was shown; 40 characters at most.")
    is_granted: bool = field(description="False: refused, or taken back.")
    source: str = field(description="Where it was said: `registration` or `settings`.")
    recorded_at: datetime = field(description="When it was said.")

    @classmethod
    def of(cls, row: consents.Consent) -> Consent:
        return cls(
            purpose=row.purpose,
            document_version=row.document_version,
            is_granted=row.is_granted,
            source=row.source,
            recorded_at=row.recorded_at,
        )


@strawberry.type(description="Something that is still open, and keeps the account from being erased.")
class ErasureBlocker:
    code: enums.ErasureBlockerCode = field(description="What kind of thing it is.")
    message: str = field(description="How to close it, for people.")
    subject_id: strawberry.ID = field(description="Global id of what is open.")

    @classmethod
    def of(cls, blocker: erasure.Blocker) -> ErasureBlocker:
        return cls(code=blocker.code, message=blocker.message, subject_id=strawberry.ID(blocker.id))
