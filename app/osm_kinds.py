"""Kinds of places: which OpenStreetMap tags make something a place riders name, and how well known it is."""

from __future__ import annotations

from collections.abc import Mapping

#: importance by key and value; the best one that a feature carries is its kind
_IMPORTANCE: dict[str, dict[str, int]] = {
    "railway": {"station": 90, "halt": 60, "tram_stop": 45},
    "aeroway": {"aerodrome": 88, "terminal": 60},
    "public_transport": {"station": 80},
    "place": {
        "square": 78,
        "suburb": 70,
        "town": 68,
        "village": 62,
        "quarter": 60,
        "neighbourhood": 50,
        "hamlet": 30,
        "locality": 15,
    },
    "amenity": {
        "university": 76,
        "townhall": 72,
        "hospital": 70,
        "bus_station": 68,
        "marketplace": 60,
        "ferry_terminal": 55,
        "theatre": 55,
        "exhibition_centre": 55,
        "events_venue": 50,
        "college": 50,
        "library": 50,
        "cinema": 48,
        "arts_centre": 45,
        "research_institute": 40,
        "courthouse": 40,
        "place_of_worship": 36,
        "police": 32,
        "restaurant": 30,
        "cafe": 30,
        "biergarten": 28,
        "pub": 26,
        "bar": 26,
        "school": 26,
        "post_office": 25,
        "fast_food": 20,
        "pharmacy": 20,
        "kindergarten": 14,
        "bank": 14,
        "fuel": 12,
    },
    "tourism": {
        "zoo": 70,
        "museum": 66,
        "theme_park": 65,
        "attraction": 60,
        "gallery": 45,
        "hotel": 40,
        "hostel": 36,
        "viewpoint": 30,
        "camp_site": 26,
    },
    "historic": {"castle": 66, "monument": 45, "ruins": 32, "memorial": 15},
    "leisure": {
        "stadium": 60,
        "park": 56,
        "water_park": 50,
        "marina": 50,
        "garden": 36,
        "sports_centre": 36,
        "swimming_pool": 28,
        "nature_reserve": 25,
    },
    "landuse": {"harbour": 62, "port": 62},
    "harbour": {"yes": 60},
    "shop": {"mall": 64, "department_store": 50, "supermarket": 24, "books": 16, "bakery": 12},
    "natural": {"peak": 30, "beach": 35},
    "man_made": {"tower": 28, "lighthouse": 40},
    "office": {"government": 34, "company": 18},
    "highway": {"pedestrian": 58, "bus_stop": 20},
}
_STREETS = {
    "primary": 12,
    "secondary": 11,
    "tertiary": 10,
    "pedestrian": 14,
    "living_street": 8,
    "residential": 8,
    "unclassified": 7,
}
_KNOWN_WORLDWIDE = 8  # has an article of its own
KEYS = tuple(_IMPORTANCE)


def kind_of(tags: Mapping[str, str]) -> tuple[str, int] | None:
    """`key=value` and importance 0..100, or None for what nobody rides to."""
    if "indoor" in tags or tags.get("access") == "private":
        return None
    found = [
        (value, f"{key}={tags[key]}")
        for key, values in _IMPORTANCE.items()
        if key in tags and (value := values.get(tags[key])) is not None
    ]
    if not found:
        return ("building=" + tags["building"], 18) if "building" in tags else None
    importance, kind = max(found)
    if "wikidata" in tags or "wikipedia" in tags:
        importance += _KNOWN_WORLDWIDE
    return kind, min(importance, 100)


def street_kind_of(tags: Mapping[str, str]) -> tuple[str, int] | None:
    """A named street is a place too, behind everything else of its name."""
    importance = _STREETS.get(tags.get("highway", ""))
    return None if importance is None else (f"highway={tags['highway']}", importance)
