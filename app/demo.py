"""Demo accounts: people to try the city with. Never in production."""

from __future__ import annotations

from domain.actor import Audience, Role

PASSWORD = "nimrod-demo"  # noqa: S105 - for the demo, refused in production
RIDERS = {
    "rider@nimrod.example": "Robin Rider",
    "rider2@nimrod.example": "Sasha Sprint",
    "rider3@nimrod.example": "Kim Cargo",
    "rider4@nimrod.example": "Alex Early",
}
#: how long their driving licences are good for
LICENCE_DAYS = 3650
STAFF = {
    "dispatcher@nimrod.example": ("Dana Dispatch", Role.DISPATCHER),
    "technician@nimrod.example": ("Toni Tools", Role.TECHNICIAN),
    "admin@nimrod.example": ("Ada Admin", Role.ADMIN),
}

#: what GraphiQL's account switch and the terminal sign in with
ACCOUNTS = [
    {
        "label": f"Rider {number}" if number > 1 else "Rider",
        "audience": Audience.CUSTOMER.value,
        "email": email,
        "password": PASSWORD,
    }
    for number, email in enumerate(RIDERS, start=1)
] + [
    {"label": role.name.capitalize(), "audience": Audience.OPS.value, "email": email, "password": PASSWORD}
    for email, (_, role) in STAFF.items()
]
