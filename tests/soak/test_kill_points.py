"""Kill points: the service is killed at random points of a rider's story, begins again and is asked the same: the same rows."""

from __future__ import annotations

import os
import random

import pytest

from tests.journeys import riders
from tests.journeys.clients import Api
from tests.live import Launcher
from tests.soak import story as stories
from tests.soak.conftest import Report
from tests.soak.fuse import Fuse
from tests.soak.stage import Stage, differences
from tests.soak.story import Story

POINTS = int(os.environ.get("NIMROD_SOAK_KILL_POINTS", "50"))


@pytest.mark.soak
@pytest.mark.timeout(1800)
async def test_a_story_ends_in_the_same_rows_wherever_the_service_is_killed(
    serve: Launcher, soak_database: str, fuse: Fuse, report: Report
) -> None:
    seed = int(os.environ.get("NIMROD_SOAK_SEED", str(random.randrange(1_000_000))))
    dice, stage = random.Random(seed), Stage(serve, fuse, soak_database)
    api = Api(stage.server.graphql_url, stage.server.rider_token)
    bike, car = [(await riders.free_vehicles(api, kind))[0]["id"] for kind in ("BICYCLE", "CAR")]
    never = 10**9
    first = Story(0, stage.server, soak_database, bike, car)
    alive, life = await stage.tell(first, stories.LIFE, never)
    erased, end = await stage.tell(first, stories.END, never)
    number = 0
    while stage.kills < POINTS:
        number += 1
        point = dice.randrange(1, life + end)
        print(f"seed {seed}, story {number}: piece {point} of {life} + {end}")  # noqa: T201 - shown when it fails
        story = Story(number, stage.server, soak_database, bike, car)
        found, _ = await stage.tell(story, stories.LIFE, point if point <= life else never)
        assert not (differs := differences(alive, found)), "\n".join(differs)
        found, _ = await stage.tell(story, stories.END, point - life if point > life else never)
        assert not (differs := differences(erased, found)), "\n".join(differs)
    report(kills=stage.kills, stories=number, pieces_of_a_story=life + end, seed=seed)
