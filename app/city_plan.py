"""The plan of Nimburg: what lies where on its street grid, in columns (west to east) and rows (south to north)."""

from __future__ import annotations

CENTER_LAT = 52.98
CENTER_LON = 10.10
SIZE = 29  # streets each way
MIDDLE = 14
SPACING_METERS = 180
OLD_TOWN = (12, 16)  # both columns and rows
RIVER_ROWS = (17, 18)  # the river runs between these two rows

CITY_TAGS = {
    "place": "city",
    "population": "182400",
    "addr:country": "DE",
    "timezone": "Europe/Berlin",
    "source": "generated",
}

BRIDGES = {
    2: "West Bridge",
    7: "Mill Bridge",
    12: "Old Bridge",
    16: "Station Bridge",
    21: "University Bridge",
    26: "East Bridge",
}
FOOTBRIDGES = {14: "Cathedral Footbridge", 19: "Weir Footbridge"}

_RING = (5, 23)
_MAIN = (10, 18)


def row_class(row: int) -> str:
    if row in _RING:
        return "secondary"
    return "tertiary" if row in (*_MAIN, *OLD_TOWN, 17, 1, 27) else "residential"


def column_class(column: int) -> str:
    if column in (*_RING, MIDDLE):
        return "secondary"
    return "tertiary" if column in (*BRIDGES, 10, 18) else "residential"


def one_way(index: int, across: bool) -> str | None:
    """`yes` runs east or north, `-1` the other way; the pair beside it takes the traffic back."""
    pairs = {8: "yes", 9: "-1", 19: "yes", 20: "-1"} if across else {8: "yes", 9: "-1", 24: "yes", 25: "-1"}
    return pairs.get(index)


#: cut across the grid, crossing by crossing
AVENUES: dict[str, list[tuple[int, int]]] = {
    "Harbour Avenue": [(16 + step, 12 + step) for step in range(5)],
    "Brickworks Avenue": [(17 + step, 11 - step) for step in range(10)],
    "Westend Avenue": [(12 - step, 12 - step) for step in range(11)],
    "University Avenue": [(17 + step, 19 + step) for step in range(8)],
    "Forest Avenue": [(11 - step, 19 + step) for step in range(8)],
}
AIRPORT_ROAD: list[tuple[float, float]] = [(28, 10), (29, 10), (30, 10.4), (31, 10.4)]

ROW_NAMES = [
    "South Ring", "Quarry Street", "Brickworks Street", "Orchard Street", "Meadow Street", "Southgate Street",
    "Foundry Street", "Depot Street", "Station Street", "Linden Street", "Market Street", "Chestnut Street",
    "Wall Street South", "Brewer Street", "Cathedral Street", "Tanner Street", "Wall Street North", "South Quay",
    "North Quay", "Willow Street", "Poplar Street", "Observatory Street", "Faculty Street", "Northgate Street",
    "Vineyard Street", "Hillside Street", "Pine Street", "Forest Street", "North Ring",
]  # fmt: skip
COLUMN_NAMES = [
    "West Ring", "Windmill Road", "Bauer Road", "Weaver Road", "Keller Road", "Westgate Road", "Curie Road",
    "Mill Road", "Gauss Road", "Noether Road", "Humboldt Road", "Schiller Road", "Old Bridge Road", "Abbey Road",
    "Grand Avenue", "Minster Road", "Station Road", "Goethe Road", "Meitner Road", "Weir Road", "Kepler Road",
    "University Road", "Planck Road", "Eastgate Road", "Lessing Road", "Bach Road", "Dyke Road", "Hansa Road",
    "East Ring",
]  # fmt: skip
LANE_NAMES = ["Baker Lane", "Goldsmith Lane", "Cooper Lane", "Salt Lane", "Cloister Lane", "Fisher Lane"]

DISTRICTS: list[tuple[str, float, float]] = [
    ("Old Town", 14.3, 13.6),
    ("Station Quarter", 14.4, 8.4),
    ("Westend", 4.4, 11.4),
    ("Eastfield", 21.4, 10.4),
    ("Harbour Quarter", 25.4, 15.4),
    ("Brickworks", 24.4, 4.4),
    ("Southgate", 12.4, 3.4),
    ("Orchards", 4.4, 4.4),
    ("Northbank", 12.4, 21.4),
    ("University Quarter", 21.4, 22.4),
    ("Forest Hill", 4.4, 23.4),
]

PARKS: list[tuple[str, int, int]] = [
    ("City Park", 10, 14),
    ("River Meadows", 6, 16),
    ("Castle Gardens", 14, 19),
    ("Orchard Park", 6, 3),
    ("Botanical Garden", 20, 24),
    ("Forest Park", 3, 25),
    ("Harbour Green", 23, 15),
    ("Eastfield Park", 22, 9),
]

#: name, column, row, key, value
LANDMARKS: list[tuple[str, float, float, str, str]] = [
    ("Central Station", 14.15, 7.75, "railway", "station"),
    ("Nimburg North", 9.2, 24.15, "railway", "halt"),
    ("Old Town Square", 14.05, 14.05, "place", "square"),
    ("Station Square", 14.1, 8.1, "place", "square"),
    ("Museum", 17.3, 14.12, "tourism", "museum"),
    ("Maritime Museum", 25.2, 16.12, "tourism", "museum"),
    ("Cathedral", 13.2, 15.12, "amenity", "place_of_worship"),
    ("City Hall", 14.3, 13.1, "amenity", "townhall"),
    ("City Theatre", 11.2, 12.12, "amenity", "theatre"),
    ("Central Library", 16.2, 11.1, "amenity", "library"),
    ("Market Hall", 12.3, 10.12, "amenity", "marketplace"),
    ("Bus Terminal", 15.3, 7.15, "amenity", "bus_station"),
    ("Nimburg Castle", 14.5, 20.15, "historic", "castle"),
    ("Observatory", 22.2, 21.12, "tourism", "attraction"),
    ("Nim Arcades", 18.3, 10.12, "shop", "mall"),
    ("Park Cafe", 10.3, 13.9, "amenity", "cafe"),
    ("Park Cafe", 20.3, 23.9, "amenity", "cafe"),
    ("Grand Hotel", 13.3, 9.1, "tourism", "hotel"),
    ("Ferry Pier", 24.3, 17.12, "amenity", "ferry_terminal"),
]

#: name, western column, southern row, key, value: one block each
GROUNDS: list[tuple[str, int, int, str, str]] = [
    ("University", 21, 20, "amenity", "university"),
    ("Harbour", 26, 16, "landuse", "harbour"),
    ("Airport", 30, 9, "aeroway", "aerodrome"),
    ("St. Anna Hospital", 7, 20, "amenity", "hospital"),
    ("City Hospital", 19, 6, "amenity", "hospital"),
    ("Zoo", 2, 20, "tourism", "zoo"),
    ("Nim Stadium", 6, 7, "leisure", "stadium"),
    ("Trade Fair", 26, 13, "tourism", "attraction"),
]

WORDS = [
    "Amber", "Blue", "Copper", "Corner", "Crooked", "Golden", "Green", "Happy", "Iron", "Little", "Lucky", "Old",
    "Olive", "Quiet", "Red", "Rosemary", "Silver", "Sunny", "Three", "Velvet", "White", "Wild",
]  # fmt: skip
SMALL_PLACES: list[tuple[str, str, list[str], int]] = [
    ("amenity", "cafe", ["Cup", "Bean", "Kettle", "Spoon"], 28),
    ("amenity", "restaurant", ["Table", "Goose", "Fork", "Lantern", "Kitchen"], 28),
    ("amenity", "pharmacy", ["Swan Pharmacy", "Eagle Pharmacy", "Lion Pharmacy"], 10),
    ("amenity", "pub", ["Anchor", "Barrel", "Fox"], 12),
    ("shop", "supermarket", ["Basket", "Larder"], 12),
    ("tourism", "hotel", ["Inn", "House"], 8),
    ("amenity", "school", ["Hill School", "Field School"], 10),
]

CAR_SHARING: list[tuple[float, float]] = [(11, 9), (17, 11), (6, 14), (22, 12), (13, 4), (9, 22), (19, 21), (25, 9)]


def charging_spots() -> list[tuple[float, float]]:
    """Beside the landmarks first, then spread over the city on streets open to cars."""
    beside: list[tuple[float, float]] = [(14, 8), (21, 20), (26, 16), (17, 16), (7, 20), (19, 6), (28, 10), (12, 10)]
    spread = [(column, row) for column in range(2, SIZE, 4) for row in range(2, SIZE, 4)]
    return beside + [(float(column), float(row)) for column, row in spread if (column, row) != (14, 14)]


def rental_spots() -> list[tuple[float, float]]:
    return [(float(column), float(row)) for column in range(1, SIZE, 3) for row in range(3, SIZE, 4)]


def bus_stops() -> list[tuple[float, float]]:
    return [(float(column), float(row)) for column in range(2, SIZE, 5) for row in (1, 5, 10, 17, 18, 23, 27)]
