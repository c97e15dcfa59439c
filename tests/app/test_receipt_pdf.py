"""Receipts as PDF: everything that was written is in them, in every language and script, and nothing else is run."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
import typst
from fastapi import FastAPI
from starlette.routing import Route

from app import receipt_pdf
from app.database import SessionFactory
from app.receipt_pdf import ReceiptFiles, ReceiptPrinter
from app.settings import Environment, Settings
from domain import ids, receipt_documents, wording
from domain.seals import Purpose
from resolvers import receipts
from resolvers.context import Runtime
from tests.conftest import FixedClock
from tests.domain import paid_rides
from tests.domain.conftest import City
from tests.domain.conftest import city as city
from tests.domain.test_receipt_documents import SELLER, document_of
from tests.resolvers import front


def shown(document: receipt_documents.Document, selector: str) -> str:
    """What the template shows there."""
    given = {"data": json.dumps(receipt_documents.written(document, SELLER))}
    return str(typst.query(receipt_pdf.TEMPLATE, selector, root=receipt_pdf.TEMPLATE.parent, sys_inputs=given))


@pytest.mark.parametrize("language", wording.LANGUAGES)
def test_a_receipt_is_set_in_every_language_with_its_number_and_total(language: str) -> None:
    document = document_of(language=language)
    written = receipt_documents.written(document, SELLER)
    pdf = ReceiptPrinter(SELLER).set(document)
    assert pdf.startswith(b"%PDF-1.7")
    assert b"pdfaid" in pdf, "for archives"
    assert "DE-2026-000017" in shown(document, "<head>")
    assert json.dumps(written["total"]["value"], ensure_ascii=False)[1:-1] in shown(document, "<total>")
    for line in written["lines"]:
        assert line[0] in shown(document, "<lines>")


def test_what_people_write_is_shown_and_never_run() -> None:
    assert '#eval(\\"1\\") *Łódź* Αθήνα София' in shown(document_of(), "<head>")


def test_no_character_of_europe_is_missing_from_the_fonts() -> None:
    document = replace(document_of(), recipient="ÅåÆæÇçÐðÑñØøÞþßĄąČčĐđĘęĞğĦħİıŁłŐőŘřŞşȘșȚțŽž ΆάΩω ЁёЖжЩщЮюЯя")
    given = {"data": json.dumps(receipt_documents.written(document, SELLER))}
    fonts = typst.Fonts(include_system_fonts=False)
    _, warnings = typst.compile_with_warnings(receipt_pdf.TEMPLATE, format="pdf", font_paths=fonts, sys_inputs=given)
    assert warnings == []


async def test_many_are_set_at_once_and_each_is_its_own(clock: FixedClock) -> None:
    printer = ReceiptPrinter(SELLER)
    documents = [replace(document_of(), plate=f"N-{number}") for number in range(8)]
    made = await asyncio.gather(*(printer.print(document) for document in documents))
    assert len(set(made)) == 8
    assert made[0] == await printer.print(documents[0]), "the same receipt is the same file"


@pytest.fixture
def runtime(session_factory: SessionFactory, clock: FixedClock) -> Runtime:
    return front.runtime_of(session_factory, clock)


@pytest.fixture
async def browser(runtime: Runtime) -> AsyncIterator[httpx.AsyncClient]:
    app = FastAPI()
    app.state.runtime = runtime
    app.router.routes.append(Route("/receipts/{token}.pdf", ReceiptFiles(Settings(signing_key="k" * 32), None)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=runtime.public_url) as client:
        yield client


async def test_the_link_of_a_receipt_opens_its_pdf(
    browser: httpx.AsyncClient, runtime: Runtime, session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    receipt = await paid_rides.issue(session_factory, city, clock.now())
    answer = await browser.get(receipts.pdf_url(front.asking(runtime, city.rider), receipt.id))
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/pdf")
    assert answer.headers["content-disposition"] == f'inline; filename="{receipt.number}.pdf"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.content.startswith(b"%PDF")


async def test_a_link_of_the_api_runs_out_and_that_of_a_mail_does_not(
    browser: httpx.AsyncClient, runtime: Runtime, session_factory: SessionFactory, city: City, clock: FixedClock
) -> None:
    receipt = await paid_rides.issue(session_factory, city, clock.now())
    url = receipts.pdf_url(front.asking(runtime, city.rider), receipt.id)
    mailed = f"/receipts/{runtime.seals.seal(Purpose.RECEIPT_PDF, receipt.id)}.pdf"
    clock.advance(minutes=59)
    assert [(await browser.get(each)).status_code for each in (url, mailed)] == [200, 200]
    clock.advance(minutes=1)
    answer = await browser.get(url)
    assert (answer.status_code, answer.json()["errors"][0]["extensions"]["code"]) == (410, "LINK_EXPIRED")
    assert (await browser.get(mailed)).status_code == 200


async def test_what_is_no_link_of_ours_is_not_found(browser: httpx.AsyncClient, runtime: Runtime) -> None:
    of_something_else = runtime.seals.seal(Purpose.DATA_EXPORT, ids.new())
    gone = runtime.seals.seal(Purpose.RECEIPT_PDF, ids.new())
    for token in ("x", of_something_else, gone):
        answer = await browser.get(f"/receipts/{token}.pdf")
        assert answer.status_code == 404
        assert answer.json()["errors"][0]["extensions"]["code"] == "NOT_FOUND"
    assert (await browser.post("/receipts/x.pdf")).status_code == 405


def test_production_says_what_receipts_lack(caplog: pytest.LogCaptureFixture) -> None:
    whole = {"seller_address": "Hauptstraße 1, 69117 Heidelberg", "seller_vat_id": "DE123456789"}
    for given, warnings in ((whole, 0), ({}, 1)):
        settings = Settings(signing_key="k" * 32).model_copy(update={"env": Environment.PRODUCTION, **given})
        caplog.clear()
        ReceiptFiles(settings, None)
        assert len(caplog.records) == warnings


async def test_who_tries_links_waits(browser: httpx.AsyncClient) -> None:
    answers = [await browser.get("/receipts/x.pdf") for _ in range(receipt_pdf.PER_MINUTE + 1)]
    assert answers[-1].status_code == 429
    assert int(answers[-1].headers["retry-after"]) > 0
