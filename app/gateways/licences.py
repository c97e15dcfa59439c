"""Licence checks: a simulator of the authorities, which knows a licence by the end of its number; without one, staff."""

from __future__ import annotations

from domain import errors
from domain.ports import LicenceCheck, LicenceClaim, LicenceVerdict

#: ends of numbers that are not simply accepted
REFUSED, LATE, SILENT = "0000", "0007", "0009"


class SimulatedLicenceCheck:
    """Accepts every licence, unless its number ends with 0000 (refused), 0007 (no answer yet) or 0009 (out of reach)."""

    async def check(self, claim: LicenceClaim) -> LicenceVerdict | None:
        if claim.number.endswith(SILENT):
            raise errors.OutOfReach("The licensing authority does not answer.")
        if claim.number.endswith(LATE):
            return None
        if claim.number.endswith(REFUSED):
            return LicenceVerdict(False, "The authority knows no such licence.")
        return LicenceVerdict(True)


class UnansweredLicenceCheck:
    """No authority is asked: every licence stays pending until staff decide."""

    async def check(self, claim: LicenceClaim) -> LicenceVerdict | None:
        del claim
        return None


def licence_check(*, is_production: bool) -> LicenceCheck:
    """The simulator accepts what it does not know: never where people really drive."""
    return UnansweredLicenceCheck() if is_production else SimulatedLicenceCheck()
