"""GraphiQL as a developer meets it: every asset from this server, examples that run, streams that stream."""

from typing import Protocol

import pytest
from playwright.sync_api import Locator, Page, expect

pytestmark = pytest.mark.browser


class LiveServer(Protocol):
    @property
    def url(self) -> str: ...


@pytest.fixture
def graphiql(page: Page, live_server: LiveServer) -> Page:
    page.goto(f"{live_server.url}/graphql")
    expect(page.locator(".graphiql-query-editor")).to_contain_text("query Metros")
    return page


def test_the_page_loads_with_the_network_cut_off(graphiql: Page) -> None:
    expect(graphiql).to_have_title("Nimrod")
    expect(graphiql.get_by_role("heading", name="Nimrod")).to_be_visible()
    expect(graphiql.locator(".graphiql-query-editor .mtk1, .graphiql-query-editor .mtk6").first).to_be_visible()


def test_the_schema_is_documented(graphiql: Page) -> None:
    graphiql.get_by_role("button", name="Show Documentation Explorer").click()
    docs = graphiql.locator(".graphiql-doc-explorer")
    docs.get_by_role("link", name="Query", exact=True).click()
    expect(docs).to_contain_text("customer")


def test_a_wrong_field_is_marked_while_typing(graphiql: Page) -> None:
    write_query(graphiql, "{ customer { nonsense } }")
    expect(graphiql.locator(".graphiql-query-editor .squiggly-error")).to_be_visible()


def test_a_query_shows_its_data(graphiql: Page) -> None:
    open_tab(graphiql, "Metros")
    run(graphiql)
    expect(response(graphiql)).to_contain_text("metro_")


def test_an_account_signs_in_and_stays_in_memory(graphiql: Page) -> None:
    sign_in(graphiql, "Rider")
    graphiql.get_by_role("button", name="Headers").click()
    expect(graphiql.get_by_role("region", name="Headers")).to_contain_text("Bearer ")
    stored = graphiql.evaluate("JSON.stringify([{...localStorage}, {...sessionStorage}, document.cookie])")
    assert "Bearer" not in stored
    graphiql.get_by_label("Demo account").select_option(label="Nobody")
    expect(graphiql.get_by_role("region", name="Headers")).not_to_contain_text("Bearer ")


def test_a_chat_streams_its_events(graphiql: Page) -> None:
    sign_in(graphiql, "Rider")
    for name in ("Metros", "StartConversation", "SendMessage"):
        open_tab(graphiql, name)
        run(graphiql)
        expect(response(graphiql)).to_contain_text("data")
    open_tab(graphiql, "ChatEvents")
    run(graphiql)
    expect(response(graphiql)).to_contain_text("customerChatEvents", timeout=15_000)
    expect(response(graphiql)).to_contain_text("earlier", timeout=15_000)


def sign_in(page: Page, label: str) -> None:
    page.get_by_label("Demo account").select_option(label=label)
    expect(page.get_by_role("status")).to_contain_text("signed in until")


def open_tab(page: Page, name: str) -> None:
    page.get_by_role("tablist").get_by_role("button", name=name, exact=True).click()
    expect(page.locator(".graphiql-query-editor")).to_contain_text(name)


def write_query(page: Page, query: str) -> None:
    page.locator(".graphiql-query-editor .monaco-editor").click()
    page.keyboard.press("ControlOrMeta+A")
    page.keyboard.insert_text(query)


def run(page: Page) -> None:
    page.get_by_role("button", name="Execute query").click()


def response(page: Page) -> Locator:
    return page.locator(".graphiql-response")
