"""Asking from the terminal: the whole way from a sentence to a row, over the real WebSocket."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import threading

import psycopg
import pytest
from graphql import build_schema, parse, validate
from typer.testing import CliRunner, Result

from app.cli import cli
from app.terminal import documents
from app.terminal.chat import Turn, apply
from schema import build
from tests import live
from tests.live import Launcher, LiveServer

BOOK = "Book a bike from Central Station to the Museum"


def ask(server: LiveServer, *arguments: str, token: str | None = None) -> Result:
    """The command inside this process, against the live server."""
    return invoke(*arguments, url=server.graphql_url, NIMROD_TOKEN=token or server.rider_token)


def invoke(*arguments: str, url: str, **env: str) -> Result:
    return CliRunner().invoke(cli, ["ask", "--url", url, *arguments], env=env)


def reservations(server: LiveServer) -> dict[str, str]:
    """State by plate."""
    with psycopg.connect(server.database_url) as connection:
        query = "select v.plate, r.state from reservations r join vehicles v on v.id = r.vehicle_id"
        return dict(connection.execute(query).fetchall())


def plate_in(output: str) -> str:
    found = re.search(r"Plate\s+│\s+(\S+)", output)
    assert found is not None, output
    return found.group(1)


def test_every_document_fits_the_schema() -> None:
    schema = build_schema(build.build().as_str())
    for name, document in vars(documents).items():
        if name.isupper() and not name.startswith("_"):
            assert validate(schema, parse(document)) == [], name


def test_a_yes_makes_a_reservation(live_server: LiveServer) -> None:
    env = live_server.environment(NIMROD_TOKEN=live_server.rider_token)
    done = live.run("ask", BOOK, "--yes", "--url", live_server.graphql_url, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "find_vehicles" in done.stdout
    for shown in ("Battery", "Pick-up", "Walk", "Destination", "Distance", "Time", "Price", "CONFIRMED"):
        assert shown in done.stdout
    assert reservations(live_server)[plate_in(done.stdout)] == "confirmed"


def test_a_no_reserves_nothing(live_server: LiveServer) -> None:
    before = reservations(live_server)
    done = ask(live_server, "Book a scooter from the University to the Museum", "--no")
    assert done.exit_code == 1
    assert "Declined: nothing was done." in done.stderr
    assert plate_in(done.stdout) not in before
    assert plate_in(done.stdout) not in reservations(live_server)


def test_without_a_decision_nothing_is_done_and_that_is_said(live_server: LiveServer) -> None:
    done = ask(live_server, "Book a scooter from the Airport to the Museum")
    assert done.exit_code == 3
    assert "--yes or --no" in done.stderr


def test_a_person_confirms_at_the_terminal(live_server: LiveServer) -> None:
    output, code = at_a_terminal(live_server, BOOK, {b"Confirm? [y/N]": b"y\n"})
    assert code == 0, output
    assert "CONFIRMED" in output


def test_a_person_answers_what_the_agent_asks_back(live_server: LiveServer) -> None:
    answers = {b"> ": b"from Central Station to the Museum\n", b"Confirm? [y/N]": b"n\n"}
    output, code = at_a_terminal(live_server, "Book a bike", answers)
    assert "Proposed reservation" in output
    assert code == 1


def test_an_agent_that_asks_back_a_script_ends_it_with_3(live_server: LiveServer) -> None:
    done = ask(live_server, "Book a bike", "--yes")
    assert done.exit_code == 3
    assert "?" in done.stdout
    assert "asks back" in done.stderr


@pytest.mark.parametrize(
    "question",
    [
        "How long from Central Station to the Museum by bike?",
        "How much is a van for 2 hours?",
        "Find a car near the Museum",
        "my reservations",
    ],
)
def test_a_question_is_answered(live_server: LiveServer, question: str) -> None:
    done = ask(live_server, question)
    assert done.exit_code == 0, done.stdout + done.stderr
    assert done.stdout.strip()


def test_a_position_stands_for_here(live_server: LiveServer) -> None:
    done = ask(live_server, "Find a bike near me", "--near", "52.97,10.10")
    assert done.exit_code == 0, done.stdout + done.stderr
    assert ask(live_server, "Find a bike near me", "--near", "somewhere").exit_code == 2


def test_an_impossible_request_says_why(live_server: LiveServer) -> None:
    done = ask(live_server, "Book a bike from Atlantis to the Museum", "--yes")
    assert done.exit_code == 1
    assert "Atlantis" in done.stdout
    assert "Nothing was reserved" in done.stderr


def test_an_own_reservation_is_cancelled(live_server: LiveServer) -> None:
    token = live_server.rider2_token
    made = ask(live_server, BOOK, "--yes", token=token)
    gone = ask(live_server, "Cancel my reservation", "--yes", token=token)
    assert gone.exit_code == 0, gone.stdout + gone.stderr
    assert reservations(live_server)[plate_in(made.stdout)] == "cancelled"


def test_the_demo_rider_signs_in_by_itself(live_server: LiveServer) -> None:
    done = invoke("help", url=live_server.url)
    assert done.exit_code == 0, done.stderr


def test_faults_are_one_clear_line(live_server: LiveServer) -> None:
    rider = {"NIMROD_TOKEN": live_server.rider_token}
    cases = [
        (invoke("help", url=f"http://127.0.0.1:{live.free_port()}/graphql"), "No server answers"),
        (invoke("help", url=f"{live_server.url}/nowhere"), "There is no GraphQL over WebSocket"),
        (invoke("help", url="nonsense://x"), "is not an address"),
        (invoke("help", "--metro", "Atlantis", url=live_server.url, **rider), "There is no such metro"),
        (ask(live_server, "help", token="nonsense"), "The access token is not valid"),
        (ask(live_server, "help", token=live_server.dispatcher_token), "FORBIDDEN"),
    ]
    for done, sentence in cases:
        assert done.exit_code == 1
        (line,) = done.stderr.strip().splitlines()
        assert sentence in line


def test_the_next_server_is_tried_when_one_is_away(live_server: LiveServer) -> None:
    urls = f"http://127.0.0.1:{live.free_port()}/graphql,{live_server.graphql_url}"
    done = invoke("help", url=urls, NIMROD_TOKEN=live_server.rider_token)
    assert done.exit_code == 0, done.stderr


def test_an_answer_survives_the_death_of_the_server_that_streams_it(demo_database: str, serve: Launcher) -> None:
    second = serve.begin(demo_database, NIMROD_OFFLINE_TOKEN_DELAY_SECONDS="0.03")
    first = serve(demo_database, "--no-worker")
    second.wait_until_ready()
    env = first.environment(COLUMNS="120")
    asking = live.start("ask", BOOK, "--yes", "--url", f"{first.graphql_url},{second.graphql_url}", env=env)
    assert asking.stdout is not None
    lines = [asking.stdout.readline()]
    first.kill()
    lines += asking.stdout.readlines()
    output = b"".join(lines).decode()
    asking.stdout.close()
    assert asking.wait(60) == 0, output
    assert "Trying again" in output
    assert output.count("· find_vehicles") == 1
    assert reservations(second) == {plate_in(output): "confirmed"}


def test_what_a_turn_showed_is_dropped_when_another_worker_begins_it_anew() -> None:
    turn = Turn("turn_1")
    for event in (
        {"__typename": "ToolCallStarted", "callId": "1", "tool": "find_places", "arguments": {}},
        {"__typename": "TextDelta", "text": "I can"},
        {"__typename": "AttemptRestarted"},
        {"__typename": "TextDelta", "text": "I have"},
    ):
        assert apply(turn, event)
    assert turn.text == "I have"
    assert turn.tools == {}
    assert not apply(turn, {"__typename": "FromALaterVersion"})


def at_a_terminal(server: LiveServer, text: str, answers: dict[bytes, bytes]) -> tuple[str, int]:
    """Runs `ask` on a pseudo-terminal and types each answer once its prompt is shown."""
    ours, theirs = pty.openpty()
    env = server.environment(NIMROD_TOKEN=server.rider_token, COLUMNS="120", TERM="xterm")
    command = [*live.COMMAND, "ask", text, "--url", server.graphql_url]
    process = subprocess.Popen(command, cwd=live.ROOT, env=env, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    watchdog = threading.Timer(40, process.kill)
    watchdog.start()
    seen = b""
    try:
        while chunk := read(ours):
            seen += chunk
            for prompt in [prompt for prompt in answers if seen.endswith((prompt, prompt + b" "))]:
                os.write(ours, answers.pop(prompt))
    finally:
        watchdog.cancel()
        os.close(ours)
    return seen.decode(errors="replace"), process.wait()


def read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65536)
    except OSError:  # the other end is closed
        return b""
