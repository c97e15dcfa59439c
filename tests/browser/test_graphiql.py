"""GraphiQL as a developer meets it: every asset from this server, examples that run, streams that stream."""

from typing import Protocol

import pytest
from playwright.async_api import Locator, Page, expect

pytestmark = pytest.mark.browser


class LiveServer(Protocol):
    @property
    def url(self) -> str: ...


@pytest.fixture
async def graphiql(page: Page, live_server: LiveServer) -> Page:
    await page.goto(f"{live_server.url}/graphql")
    await expect(page.locator(".graphiql-query-editor")).to_contain_text("query Metros")
    return page


async def test_the_page_loads_with_the_network_cut_off(graphiql: Page) -> None:
    await expect(graphiql).to_have_title("Nimrod")
    await expect(graphiql.get_by_role("heading", name="Nimrod")).to_be_visible()
    await expect(graphiql.locator(".graphiql-query-editor .mtk1, .graphiql-query-editor .mtk6").first).to_be_visible()


async def test_the_schema_is_documented(graphiql: Page) -> None:
    await graphiql.get_by_role("button", name="Show Documentation Explorer").click()
    docs = graphiql.locator(".graphiql-doc-explorer")
    await docs.get_by_role("link", name="Query", exact=True).click()
    await expect(docs).to_contain_text("customer")


async def test_a_wrong_field_is_marked_while_typing(graphiql: Page) -> None:
    await write_query(graphiql, "{ customer { nonsense } }")
    await expect(graphiql.locator(".graphiql-query-editor .squiggly-error")).to_be_visible()


async def test_a_query_shows_its_data(graphiql: Page) -> None:
    await open_tab(graphiql, "Metros")
    await run(graphiql)
    await expect(response(graphiql)).to_contain_text("metro_")


async def test_an_account_signs_in_and_stays_in_memory(graphiql: Page) -> None:
    await sign_in(graphiql, "Rider")
    await graphiql.get_by_role("button", name="Headers").click()
    await expect(graphiql.get_by_role("region", name="Headers")).to_contain_text("Bearer ")
    stored = await graphiql.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "Bearer" not in stored
    await graphiql.get_by_label("Demo account").select_option(label="Nobody")
    await expect(graphiql.get_by_role("region", name="Headers")).not_to_contain_text("Bearer ")


async def test_a_chat_streams_its_events(graphiql: Page) -> None:
    await sign_in(graphiql, "Rider")
    for name in ("Metros", "StartConversation", "SendMessage"):
        await open_tab(graphiql, name)
        await run(graphiql)
        await expect(response(graphiql)).to_contain_text("data")
    await open_tab(graphiql, "ChatEvents")
    await run(graphiql)
    await expect(response(graphiql)).to_contain_text("customerChatEvents", timeout=15_000)
    await expect(response(graphiql)).to_contain_text("earlier", timeout=15_000)


async def sign_in(page: Page, label: str) -> None:
    await page.get_by_label("Demo account").select_option(label=label)
    await expect(page.get_by_role("status")).to_contain_text("signed in until")


async def open_tab(page: Page, name: str) -> None:
    await page.get_by_role("tablist").get_by_role("button", name=name, exact=True).click()
    await expect(page.locator(".graphiql-query-editor")).to_contain_text(name)


async def write_query(page: Page, query: str) -> None:
    await page.locator(".graphiql-query-editor .monaco-editor").click()
    await page.keyboard.press("ControlOrMeta+A")
    await page.keyboard.insert_text(query)


async def run(page: Page) -> None:
    await page.get_by_role("button", name="Execute query").click()


def response(page: Page) -> Locator:
    return page.locator(".graphiql-response")
