"""Kill points of a ride: killed anywhere between reserving and appealing, the service leaves the same rows and books."""

from __future__ import annotations

import os
import random

import pytest

from tests.journeys import riders
from tests.live import Launcher
from tests.soak import ride_story
from tests.soak.conftest import Report
from tests.soak.fuse import Fuse
from tests.soak.ride_story import RideStory
from tests.soak.stage import Stage, differences

POINTS = int(os.environ.get("NIMROD_SOAK_KILL_POINTS", "50"))
BIKE = """select v.plate, v.published_id::text from vehicles v join stations s on s.id = v.station_id
  where v.vehicle_type = 'bicycle' and v.state = 'available' and v.battery_percent > 50 order by v.plate limit 1"""
BOOKS = "select account, sum(amount_minor)::int from ledger_entries group by account order by account"


@pytest.mark.soak
@pytest.mark.timeout(3600)
async def test_a_ride_ends_in_the_same_rows_and_books_wherever_the_service_is_killed(
    serve: Launcher, soak_database: str, fuse: Fuse, report: Report
) -> None:
    seed = int(os.environ.get("NIMROD_SOAK_SEED", str(random.randrange(1_000_000))))
    dice, stage = random.Random(seed), Stage(serve, fuse, soak_database)
    plate = riders.rows(soak_database, BIKE)[0][0]
    never = 10**9

    async def told(number: int, point: int) -> tuple[dict[str, list[dict[str, object]]], int]:
        story = RideStory(number, stage.server, soak_database, "", "", plate=plate)
        await ride_story.arrive(story)
        return await stage.tell(story, ride_story.RIDE, point)

    alive, pieces = await told(0, never)
    assert alive["ledger_entries"], "what was ridden is in the books"
    assert [fine["state"] for fine in alive["fines"]] == ["appealed"]
    of_one = dict(riders.rows(soak_database, BOOKS))
    number = 0
    while stage.kills < POINTS:
        number += 1
        point = dice.randrange(1, pieces)
        print(f"seed {seed}, story {number}: piece {point} of {pieces}")  # noqa: T201 - shown when it fails
        found, _ = await told(number, point)
        assert not (differs := differences(alive, found)), "\n".join(differs)
        assert dict(riders.rows(soak_database, BOOKS)) == {account: minor * (number + 1) for account, minor in of_one.items()}
    report(kills=stage.kills, stories=number, pieces_of_a_story=pieces, seed=seed)
