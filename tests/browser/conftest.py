"""The browser: a real Chromium that can reach this machine alone, and fails the test that reaches for more."""

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.async_api import Page, Route, async_playwright

from app.web.page import DIST_DIR

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = [
    "--no-sandbox",
    "--no-first-run",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]
OWN_HOSTS = {"127.0.0.1", None}  # None: data and blob addresses
REPORT_VIOLATIONS = "addEventListener('securitypolicyviolation', e => console.error(`CSP: ${e.violatedDirective}`))"


@pytest.fixture(scope="session")
def equipment() -> None:
    if not CHROMIUM.exists():
        pytest.skip(f"{CHROMIUM} is absent")
    if not (DIST_DIR / "index.html").exists():
        pytest.skip("GraphiQL is not built: python -m app.web.build")


@pytest.fixture
async def page(equipment: None) -> AsyncIterator[Page]:
    strangers: list[str] = []
    complaints: list[str] = []

    async def guard(route: Route) -> None:
        if urlsplit(route.request.url).hostname in OWN_HOSTS:
            await route.continue_()
        else:
            strangers.append(route.request.url)
            await route.abort()

    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        context = await browser.new_context(viewport={"width": 1440, "height": 900})
        context.set_default_timeout(10_000)
        await context.add_init_script(REPORT_VIOLATIONS)
        await context.route("**/*", guard)
        page = await context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("websocket", lambda socket: _note_stranger(strangers, socket.url))
        yield page
        await browser.close()
    assert strangers == []
    assert complaints == []


def _note_stranger(strangers: list[str], url: str) -> None:
    if urlsplit(url).hostname not in OWN_HOSTS:
        strangers.append(url)
