"""The page's HTML and headers, without a browser."""

import html
import json
from pathlib import Path

import pytest

from app.web import page

INDEX = Path(page.__file__).parent / "index.html"


@pytest.fixture(autouse=True)
def built(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "index.html").write_text(INDEX.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setattr(page, "DIST_DIR", tmp_path)


def test_there_is_no_page_before_the_build(tmp_path: Path) -> None:
    (tmp_path / "index.html").unlink()
    assert page.graphiql_page(demo_accounts=None) is None


def test_demo_accounts_are_written_escaped() -> None:
    accounts = [{"label": 'A "<script>" & co', "audience": "ops", "email": "a@nimrod.example", "password": "x"}]
    body = rendered(accounts)[0]
    content = body.split('name="nimrod-demo" content="')[1].split('"')[0]
    assert "<script>" not in content
    assert json.loads(html.unescape(content)) == accounts


def test_without_demo_accounts_the_page_lists_none() -> None:
    assert 'name="nimrod-demo" content="[]"' in rendered(None)[0]


def test_scripts_and_connections_are_limited_to_this_server() -> None:
    policy = rendered(None, host="localhost:8000")[1]["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self';" in policy
    assert "connect-src 'self' ws://localhost:8000 wss://localhost:8000;" in policy
    assert "eval" not in policy


@pytest.mark.parametrize("host", ["evil.example; script-src *", "a b", "*", "", "a\r\nX: y"])
def test_a_forged_host_adds_nothing_to_the_policy(host: str) -> None:
    assert "connect-src 'self';" in rendered(None, host=host)[1]["Content-Security-Policy"]


def rendered(accounts: list[dict[str, str]] | None, host: str | None = None) -> tuple[str, dict[str, str]]:
    answer = page.graphiql_page(demo_accounts=accounts, host=host)
    assert answer is not None
    return answer[0].decode(), answer[1]
