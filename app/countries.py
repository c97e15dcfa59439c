"""What a country decides: currency, VAT, time zone, languages. The countries MobilityCorp may serve."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Country:
    code: str
    currency: str
    #: standard rate of VAT; vehicle hire is taxed where the vehicle is taken over
    vat_percent: Decimal
    timezone: str
    languages: tuple[str, ...]


def _country(code: str, currency: str, vat: str, timezone: str, *languages: str) -> tuple[str, Country]:
    spoken = languages if "en" in languages else (*languages, "en")
    return code, Country(code, currency, Decimal(vat), timezone, spoken)


COUNTRIES = dict(
    [
        _country("AT", "EUR", "20", "Europe/Vienna", "de"),
        _country("BE", "EUR", "21", "Europe/Brussels", "nl", "fr", "de"),
        _country("BG", "EUR", "20", "Europe/Sofia", "bg"),
        _country("CH", "CHF", "8.1", "Europe/Zurich", "de", "fr", "it"),
        _country("CY", "EUR", "19", "Asia/Nicosia", "el", "tr"),
        _country("CZ", "CZK", "21", "Europe/Prague", "cs"),
        _country("DE", "EUR", "19", "Europe/Berlin", "de"),
        _country("DK", "DKK", "25", "Europe/Copenhagen", "da"),
        _country("EE", "EUR", "24", "Europe/Tallinn", "et"),
        _country("ES", "EUR", "21", "Europe/Madrid", "es"),
        _country("FI", "EUR", "25.5", "Europe/Helsinki", "fi", "sv"),
        _country("FR", "EUR", "20", "Europe/Paris", "fr"),
        _country("GB", "GBP", "20", "Europe/London", "en"),
        _country("GR", "EUR", "24", "Europe/Athens", "el"),
        _country("HR", "EUR", "25", "Europe/Zagreb", "hr"),
        _country("HU", "HUF", "27", "Europe/Budapest", "hu"),
        _country("IE", "EUR", "23", "Europe/Dublin", "en", "ga"),
        _country("IT", "EUR", "22", "Europe/Rome", "it"),
        _country("LT", "EUR", "21", "Europe/Vilnius", "lt"),
        _country("LU", "EUR", "17", "Europe/Luxembourg", "fr", "de", "lb"),
        _country("LV", "EUR", "21", "Europe/Riga", "lv"),
        _country("MT", "EUR", "18", "Europe/Malta", "mt", "en"),
        _country("NL", "EUR", "21", "Europe/Amsterdam", "nl"),
        _country("NO", "NOK", "25", "Europe/Oslo", "nb"),
        _country("PL", "PLN", "23", "Europe/Warsaw", "pl"),
        _country("PT", "EUR", "23", "Europe/Lisbon", "pt"),
        _country("RO", "RON", "21", "Europe/Bucharest", "ro"),
        _country("SE", "SEK", "25", "Europe/Stockholm", "sv"),
        _country("SI", "EUR", "22", "Europe/Ljubljana", "sl"),
        _country("SK", "EUR", "23", "Europe/Bratislava", "sk"),
    ]
)
DEFAULT = COUNTRIES["DE"]


def get_country(code: str) -> Country:
    return COUNTRIES.get(code.upper(), DEFAULT)


def timezone_at(country: Country, lat: float, lon: float) -> str:
    """The country's zone, or that of its islands far out."""
    if country.code == "ES" and lat < 30:
        return "Atlantic/Canary"
    if country.code == "PT" and lon < -20:
        return "Atlantic/Azores"
    if country.code == "PT" and lat < 34:
        return "Atlantic/Madeira"
    return country.timezone
