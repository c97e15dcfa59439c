"""The rider's profile, saved places and driving licence."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import strawberry
from strawberry import UNSET, field

from domain import licences as domain_licences
from domain import profiles as domain_profiles
from resolvers import licences, profiles, saved_places
from schema import access, enums, errors
from schema.types.accounts import Customer
from schema.types.geo import LatLngInput
from schema.types.profiles import DrivingLicence, SavedPlace


@strawberry.input(description="What to change in the profile. What is left out stays as it is.")
class UpdateProfileInput:
    name: str | None = field(default=UNSET, description="What to call the rider, 1 to 100 characters; not null.")
    language: str | None = field(default=UNSET, description="`en`, `de`, `fr`, `it` or `es`; not null.")
    phone: str | None = field(default=UNSET, description="E.164, such as `+491701234567`; null takes it away.")


@strawberry.type(description="The profile is as given.")
class UpdateProfileSuccess:
    viewer: Customer = field(description="The rider's account.")


UpdateProfileResult = Annotated[
    UpdateProfileSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("UpdateProfileResult", description="What updating the profile can answer."),
]


@strawberry.input(description="A place to save, or to change.")
class SavePlaceInput:
    kind: enums.SavedPlaceKind = field(description="A rider has one HOME, one WORK: saving another takes its place.")
    name: str = field(description="1 to 100 characters. Of FAVOURITE places one a name: saving another takes its place.")
    position: LatLngInput = field(description="Where it is.")
    id: strawberry.ID | None = field(default=None, description="Of the saved place to change; a new one when left out.")


@strawberry.type(description="The place is saved.")
class SavePlaceSuccess:
    saved_place: SavedPlace = field(description="The place.")


SavePlaceResult = Annotated[
    SavePlaceSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("SavePlaceResult", description="What saving a place can answer."),
]


@strawberry.input(description="A saved place to forget.")
class ForgetSavedPlaceInput:
    saved_place_id: strawberry.ID = field(description="The place.")


@strawberry.type(description="The place is forgotten.")
class ForgetSavedPlaceSuccess:
    is_forgotten: bool = field(description="Always true.")


ForgetSavedPlaceResult = Annotated[
    ForgetSavedPlaceSuccess | errors.InvalidInputError | errors.NotFoundError,
    strawberry.union("ForgetSavedPlaceResult", description="What forgetting a saved place can answer."),
]


@strawberry.input(description="A driving licence, as it is printed on it.")
class SubmitDrivingLicenceInput:
    country_code: str = field(description="Where it was issued, ISO 3166-1 alpha-2, such as `DE`.")
    number: str = field(description="5 to 25 letters and digits; spaces, hyphens and letter case do not count.")
    expires_on: date = field(description="The last day on which it is valid; today in UTC or later.")
    categories: list[enums.LicenceCategory] = field(description="What may be driven with it; B must be among them.")


@strawberry.type(description="The licence is being checked; a notification tells the outcome.")
class SubmitDrivingLicenceSuccess:
    driving_licence: DrivingLicence = field(description="The licence, PENDING; as it was when it is the same again.")


SubmitDrivingLicenceResult = Annotated[
    SubmitDrivingLicenceSuccess | errors.InvalidInputError,
    strawberry.union("SubmitDrivingLicenceResult", description="What submitting a driving licence can answer."),
]


@strawberry.type
class ProfileMutations:
    @access.mutation(access.RIDERS, "Change name, language or phone.")
    async def update_profile(
        self, info: strawberry.Info, input: Annotated[UpdateProfileInput, access.INPUT]
    ) -> UpdateProfileResult | None:
        changes = domain_profiles.Changes()
        if input.name is not UNSET:
            changes["name"] = input.name
        if input.language is not UNSET:
            changes["language"] = input.language
        if input.phone is not UNSET:
            changes["phone"] = input.phone
        return UpdateProfileSuccess(viewer=Customer.of(await profiles.update_profile(info.context, changes)))

    @access.mutation(access.RIDERS, "Save a place, or change it; 50 at most. The same again changes nothing.")
    async def save_place(self, info: strawberry.Info, input: Annotated[SavePlaceInput, access.INPUT]) -> SavePlaceResult | None:
        position = input.position.value("position")
        row = await saved_places.save_place(info.context, place_id=input.id, kind=input.kind, name=input.name, position=position)
        return SavePlaceSuccess(saved_place=SavedPlace.of(row))

    @access.mutation(access.RIDERS, "Forget a saved place.")
    async def forget_saved_place(
        self, info: strawberry.Info, input: Annotated[ForgetSavedPlaceInput, access.INPUT]
    ) -> ForgetSavedPlaceResult | None:
        await saved_places.forget_saved_place(info.context, saved_place_id=input.saved_place_id)
        return ForgetSavedPlaceSuccess(is_forgotten=True)

    @access.mutation(access.RIDERS, "Submit a driving licence in place of the one before; a few tries a minute.")
    async def submit_driving_licence(
        self, info: strawberry.Info, input: Annotated[SubmitDrivingLicenceInput, access.INPUT]
    ) -> SubmitDrivingLicenceResult | None:
        submission = domain_licences.Submission(input.country_code, input.number, input.expires_on, tuple(input.categories))
        row = await licences.submit_driving_licence(info.context, submission)
        licence = DrivingLicence.of(row, info.context.runtime.clock.now())
        return SubmitDrivingLicenceSuccess(driving_licence=licence)
