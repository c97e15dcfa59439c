"""A rider's own data: asking for all of it, saying what it may be used for, ending the account."""

from __future__ import annotations

from typing import Annotated

import strawberry
from strawberry import field

from domain import ids
from resolvers import privacy
from schema import access, enums, errors
from schema.customer.reservations import KEY
from schema.types.privacy import Consent, DataExport


@strawberry.input(description="That an archive is wanted.")
class RequestDataExportInput:
    idempotency_key: str = field(description=KEY)


@strawberry.type(description="The archive is being built; a notification says when it is ready, mostly within a minute.")
class RequestDataExportSuccess:
    export: DataExport = field(description="The archive.")


RequestDataExportResult = Annotated[
    RequestDataExportSuccess
    | errors.ExportInProgressError
    | errors.ExportLimitReachedError
    | errors.InvalidInputError
    | errors.IdempotencyConflictError,
    strawberry.union("RequestDataExportResult", description="What asking for an archive can answer."),
]


@strawberry.input(description="What the rider says about one purpose.")
class RecordConsentInput:
    purpose: enums.ConsentPurpose = field(description="What it is about.")
    document_version: str = field(description="Of the text that was shown; 1 to 40 characters.")
    is_granted: bool = field(description="False refuses or takes back; terms and privacy notice can only be granted.")


@strawberry.type(description="It is in force from now on.")
class RecordConsentSuccess:
    consents: list[Consent] = field(description="All that are in force, one a purpose; 5 at most.")


RecordConsentResult = Annotated[
    RecordConsentSuccess | errors.InvalidInputError,
    strawberry.union("RecordConsentResult", description="What recording a consent can answer."),
]


@strawberry.input(description="Proof that the rider means it.")
class EraseAccountInput:
    idempotency_key: str = field(description=KEY)
    password: str | None = field(default=None, description="Of the account, if it has one; 1,024 characters at most.")
    confirmation: str | None = field(default=None, description="The account's email address, if it has no password.")


@strawberry.type(
    description="The account is gone, with all that told of the rider. Reservations are cancelled, all sessions end."
)
class EraseAccountSuccess:
    is_erased: bool = field(description="Always true.")


EraseAccountResult = Annotated[
    EraseAccountSuccess
    | errors.ErasureBlockedError
    | errors.InvalidCredentialsError
    | errors.SessionEndedError
    | errors.InvalidInputError
    | errors.IdempotencyConflictError,
    strawberry.union("EraseAccountResult", description="What erasing can answer."),
]


@strawberry.type
class PrivacyQueries:
    @access.query(access.RIDERS, "One of the rider's archives; null when there is none of that id.")
    async def export(
        self, info: strawberry.Info, id: Annotated[strawberry.ID, strawberry.argument(description="Of the archive.")]
    ) -> DataExport | None:
        row = await privacy.find_export(info.context, ids.decode(id, ids.EXPORT))
        return None if row is None else DataExport.of(row)


@strawberry.type
class PrivacyMutations:
    @access.mutation(access.RIDERS, "Ask for an archive of everything about you: one at a time, three a day.")
    async def request_data_export(
        self, info: strawberry.Info, input: Annotated[RequestDataExportInput, access.INPUT]
    ) -> RequestDataExportResult | None:
        row = await privacy.request_data_export(info.context, idempotency_key=input.idempotency_key)
        return RequestDataExportSuccess(export=DataExport.of(row))

    @access.mutation(access.RIDERS, "Grant or take back a consent; the history keeps what was said before.")
    async def record_consent(
        self, info: strawberry.Info, input: Annotated[RecordConsentInput, access.INPUT]
    ) -> RecordConsentResult | None:
        rows = await privacy.record_consent(
            info.context, purpose=input.purpose, document_version=input.document_version, is_granted=input.is_granted
        )
        return RecordConsentSuccess(consents=[Consent.of(row) for row in rows])

    @access.mutation(access.RIDERS, "End your account for good; as many tries as at signing in.")
    async def erase_account(
        self, info: strawberry.Info, input: Annotated[EraseAccountInput, access.INPUT]
    ) -> EraseAccountResult | None:
        await privacy.erase_account(
            info.context,
            password=input.password,
            confirmation=input.confirmation,
            idempotency_key=input.idempotency_key,
        )
        return EraseAccountSuccess(is_erased=True)
