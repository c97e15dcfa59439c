"""Whole chats with the offline model, over tools in memory: what it asks, calls and says."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_ai.messages import ModelResponse, ToolCallPart

from tests.agents.dialogues import Chat

BOOKING = "Book a bike from Central Station to the Museum"
FLOW = ["find_places", "find_places", "find_vehicles", "plan_route", "quote", "reserve_vehicle"]
HELD = [
    {
        "reservationId": f"reservation_01j9z3k5v8f4e9a7b6c5d4e3f{number}",
        "vehicleType": kind,
        "plate": f"NB-{number}",
        "state": "confirmed",
        "startsAt": "2026-11-21T09:00:00+00:00",
        "endsAt": None,
        "priceMinor": None,
        "currency": "EUR",
    }
    for number, kind in ((7, "bicycle"), (8, "car"))
]


async def test_a_booking_walks_through_the_tools_and_ends_in_a_proposal() -> None:
    chat = Chat()
    answer = await chat.say(BOOKING)
    assert chat.tools == FLOW
    assert chat.arguments("reserve_vehicle") == {
        "vehicle_id": "vehicle_bicycle_a",
        "origin": "place_central",
        "destination": "place_museum",
        "expected_minutes": 15,
    }
    assert "NB-a" in answer
    assert "Nothing happens until you press Confirm" in answer


async def test_missing_details_are_asked_for_one_by_one_and_remembered() -> None:
    chat = Chat()
    assert "Which vehicle" in await chat.say("I need a ride")
    assert "start" in await chat.say("a car")
    assert "how long" in await chat.say("Central Station")
    await chat.say("for 2 hours")
    reserved = chat.arguments("reserve_vehicle")
    assert (reserved["origin"], reserved["ends_at"]) == ("place_central", "2026-11-21T10:30:00+00:00")


@pytest.mark.parametrize(
    "answer", ["2", "the second one", "the one in Neuenheim", "Neuenheim", "Market Square, Neuenheim", "the last"]
)
async def test_two_places_of_one_name_are_asked_about(answer: str) -> None:
    chat = Chat()
    question = await chat.say("Book a bike at Market Square")
    assert "1) Market Square (Altstadt)" in question
    assert "2) Market Square (Neuenheim)" in question
    await chat.say(answer)
    assert chat.arguments("reserve_vehicle")["origin"] == "place_market_n"


async def test_an_answer_that_fits_no_option_is_asked_again() -> None:
    chat = Chat()
    await chat.say("Book a bike at Market Square")
    assert "number" in await chat.say("7")
    await chat.say("1")
    assert chat.arguments("reserve_vehicle")["origin"] == "place_market_a"


async def test_a_typed_yes_shows_the_proposal_again_and_books_nothing() -> None:
    chat = Chat()
    await chat.say(BOOKING)
    for word in ("yes", "ok", "yes please, go ahead", "no"):
        assert (await chat.say(word)).startswith("A typed answer books nothing.")
        assert chat.tools == ["show_proposal"]


async def test_a_yes_to_nothing_says_so() -> None:
    assert "Nothing is waiting" in await Chat().say("yes")


async def test_a_proposal_is_changed_by_naming_what_differs() -> None:
    chat = Chat()
    await chat.say(BOOKING)
    await chat.say("make it a scooter instead")
    assert chat.arguments("reserve_vehicle")["vehicle_id"] == "vehicle_scooter_standing_a"
    await chat.say("actually from the Van Gogh Museum")
    assert chat.arguments("reserve_vehicle")["origin"] == "place_gogh"
    await chat.say("at 9:45")
    assert chat.arguments("reserve_vehicle")["starts_at"] == "2026-11-21T08:45:00+00:00"


async def test_a_plan_tells_time_and_price_and_can_be_booked() -> None:
    chat = Chat()
    answer = await chat.say("how long from Central Station to the Museum by bike?")
    assert "4.2 km (15 min)" in answer
    assert "4.00 EUR" in answer
    await chat.say("yes please")
    assert chat.arguments("reserve_vehicle")["destination"] == "place_museum"


async def test_what_was_found_can_be_booked() -> None:
    chat = Chat(position={"lat": 49.4, "lon": 8.7})
    assert "120 m away" in await chat.say("where is the nearest bike")
    await chat.say("book it")
    assert chat.arguments("reserve_vehicle")["origin"] == "here"


async def test_another_subject_leaves_the_question_behind() -> None:
    chat = Chat()
    await chat.say("Book a car at Central Station")
    assert "no open reservations" in await chat.say("what are my reservations?")
    await chat.say("Book a bike from the Museum")
    assert chat.arguments("reserve_vehicle")["vehicle_id"] == "vehicle_bicycle_a"
    assert "dropped" in await chat.say("never mind")
    assert "did not understand" in await chat.say("2")


async def test_a_cancellation_is_proposed_for_the_reservation_chosen() -> None:
    chat = Chat(reservations=HELD)
    assert "Which reservation" in await chat.say("cancel my reservation")
    assert "I can cancel your car NB-8" in await chat.say("2")
    assert "I can cancel your bike NB-7" in await chat.say("cancel my bike")
    assert "I can cancel your car NB-8" in await chat.say(f"cancel {HELD[1]['reservationId']}")
    assert "found no open reservation" in await chat.say("cancel my scooter")


async def test_a_place_nobody_knows_is_said_plainly_and_can_be_corrected() -> None:
    chat = Chat()
    assert "no place called “Nowhere” in Testburg" in await chat.say("Book a bike from Nowhere to the Museum")
    await chat.say("Central Station")
    assert chat.arguments("reserve_vehicle")["destination"] == "place_museum"


async def test_a_name_half_remembered_brings_up_similar_ones() -> None:
    chat = Chat()
    question = await chat.say("Book a bike from Central Station to the Grand Museum")
    assert "no place called “Grand Museum”" in question
    assert "2) Van Gogh Museum (Zuid)" in question
    await chat.say("Van Gogh")
    assert chat.arguments("reserve_vehicle")["destination"] == "place_gogh"


async def test_a_wish_of_its_own_takes_nothing_from_the_one_before() -> None:
    chat = Chat()
    await chat.say("How long from Central Station to the Museum by scooter?")
    await chat.say("A van near Central Station tomorrow at 9 for 3 hours")
    assert chat.arguments("reserve_vehicle")["vehicle_id"] == "vehicle_van_a"
    assert "destination" not in chat.arguments("reserve_vehicle")
    assert "in all 4.2 km" in await chat.say("walk from the Museum to Central Station")


async def test_no_vehicle_near_is_said_with_a_way_out() -> None:
    chat = Chat()
    answer = await chat.say("Book a bike in Desert")
    assert "no free bike within 3.0 km of Desert" in answer
    assert [call[1]["radius_meters"] for call in chat.calls if call[0] == "find_vehicles"] == [1000, 3000]


async def test_a_vehicle_whose_battery_would_die_on_the_way_is_passed_over() -> None:
    chat = Chat(range_meters=3000)
    await chat.say(BOOKING)
    assert chat.arguments("reserve_vehicle")["vehicle_id"] == "vehicle_bicycle_b"


async def test_a_refusal_of_a_tool_is_relayed() -> None:
    chat = Chat(refusal="Scooters and bikes can be reserved 30 minutes ahead at most.")
    answer = await chat.say(f"{BOOKING} at 18:00")
    assert "30 minutes ahead at most" in answer
    assert "Nothing was booked" in answer


async def test_a_time_that_does_not_exist_is_asked_again() -> None:
    chat = Chat()
    assert "does not exist on 28 March 2027" in await chat.say("Book a car on 28 March at 2:30 for 2 hours at Central Station")
    await chat.say("at 4:30")
    assert chat.arguments("reserve_vehicle")["starts_at"] == "2027-03-28T02:30:00+00:00"


async def test_a_day_without_a_time_is_asked_for_it() -> None:
    chat = Chat()
    assert "At what time tomorrow" in await chat.say("Book a car tomorrow for 2 hours at Central Station")
    await chat.say("8:30")
    assert chat.arguments("reserve_vehicle")["starts_at"] == "2026-11-22T07:30:00+00:00"


async def test_what_it_cannot_do_is_said() -> None:
    assert "did not understand" in await Chat().say("tell me a joke")
    assert "reserve_vehicle" not in (chat := Chat()).tools, await chat.say("unlock every vehicle")


async def test_a_decision_is_reported_without_tools() -> None:
    summary = {"vehicleType": "bicycle", "plate": "NB-1", "startsAt": "2026-11-21T08:30:00+00:00", "endsAt": None}
    decision = {"action": "reserve_vehicle", "decision": "approve", "reservationId": "reservation_y", "summary": summary}
    chat = Chat()
    assert await chat.say(None, decision=decision) == "Your bike NB-1 is reserved from Sat 21 Nov, 09:30 (reservation_y)."
    assert "Nothing was booked" in await chat.say(None, decision=decision | {"decision": "decline", "reservationId": None})
    assert chat.tools == []


async def test_call_ids_stay_unique_when_old_turns_drop_out_of_the_history() -> None:
    chat = Chat(remembered=3)
    for _ in range(8):
        await chat.say(BOOKING)
        named = [
            part.tool_call_id
            for message in chat.messages
            if isinstance(message, ModelResponse)
            for part in message.parts
            if isinstance(part, ToolCallPart)
        ]
        assert len(named) == len(set(named))


_SAYINGS = st.sampled_from(
    f"{BOOKING};yes;no;2;a car;Central Station;for 2 hours;tomorrow;8:30;at Market Square;the one in Altstadt;how much is it?;"
    "cancel my reservation;never mind;help;here;make it a van;to Nowhere;on foot;book it".split(";")
)


@settings(deadline=None, max_examples=60)
@given(st.lists(_SAYINGS, max_size=8))
async def test_any_chat_gets_an_answer_and_only_ever_proposes(sayings: list[str]) -> None:
    chat = Chat(reservations=HELD)
    for words in sayings:
        assert await chat.say(words)
        assert len(chat.calls) <= 12
