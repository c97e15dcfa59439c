"""Settings are described where people look, and refuse what cannot be meant."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from app.settings import Settings, table

README = Path(__file__).parents[2] / "app" / "README.md"


def test_the_readme_shows_every_setting_as_it_is() -> None:
    shown = README.read_text().partition("<!-- settings -->")[2].partition("<!-- /settings -->")[0].strip()
    assert shown == table(), "run `python -m app.settings`"


def test_lists_are_separated_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIMROD_MODELS", "openai-chat:a, offline")
    assert Settings().models == ["openai-chat:a", "offline"]


def test_production_needs_a_signing_key_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NIMROD_ENV", "production")
    with pytest.raises(ValidationError, match="NIMROD_SIGNING_KEY"):
        Settings()


def test_a_generated_key_is_kept_and_shared(tmp_path: Path) -> None:
    first, second = Settings(data_dir=tmp_path), Settings(data_dir=tmp_path)
    assert first.secret() == second.secret()
    assert (tmp_path / "signing-key").stat().st_mode & 0o077 == 0


ISSUER = {"oidc_ops_issuer": "https://issuer.example", "oidc_ops_client_id": "desk"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"oidc_ops_client_id": None}, "NIMROD_OIDC_OPS_ISSUER and its _CLIENT_ID belong together"),
        ({"oidc_ops_issuer": None}, "NIMROD_OIDC_OPS_ISSUER and its _CLIENT_ID belong together"),
        ({"oidc_ops_issuer": "issuer.example"}, "must begin with https:// or http://"),
        ({"oidc_ops_issuer": "http://issuer.example", "env": "production", "signing_key": "k" * 32}, "must begin with https://"),
    ],
)
def test_an_issuer_is_set_up_as_a_whole_and_safely(given: dict[str, str | None], reason: str) -> None:
    assert Settings.model_validate(ISSUER).oidc_ops_issuer == "https://issuer.example"
    with pytest.raises(ValidationError, match=reason):
        Settings.model_validate({**ISSUER, **given})


MAIL = {"env": "production", "signing_key": "k" * 32, "smtp_host": "mail.example", "mail_sender": "Nimrod <no-reply@example.org>"}


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, "set NIMROD_PUBLIC_URL: mails bear it"),
        ({"public_url": "http://nimrod.example"}, "NIMROD_PUBLIC_URL must begin with https://"),
    ],
)
def test_mail_of_production_leads_to_where_people_can_safely_go(given: dict[str, str], reason: str) -> None:
    assert Settings.model_validate({**MAIL, "public_url": "https://nimrod.example"}).smtp_host == "mail.example"
    with pytest.raises(ValidationError, match=reason):
        Settings.model_validate({**MAIL, **given})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "http://127.0.0.1:8000"),
        ({"port": 8123}, "http://127.0.0.1:8123"),
        ({"port": 8123, "host": "0.0.0.0"}, "http://127.0.0.1:8123"),  # noqa: S104
        ({"port": 8123, "host": "::1"}, "http://[::1]:8123"),
        ({"port": 0}, "http://127.0.0.1:8000"),
        ({"port": 8123, "tls_certificate": "c.pem", "tls_key": "k.pem"}, "https://127.0.0.1:8123"),
        ({"port": 8123, "public_url": "https://nimrod.example"}, "https://nimrod.example"),
        ({"port": 8123, "env": "production", "signing_key": "k" * 32}, "http://127.0.0.1:8000"),
    ],
)
def test_links_of_a_demo_lead_to_where_it_listens(given: dict[str, object], url: str) -> None:
    assert Settings.model_validate(given).public_url == url


@pytest.mark.parametrize("url", ["photos", "file://photos", "ftp://nimrod.example/photos", "s3://", "memory:"])
def test_pictures_lie_where_something_can_put_them(url: str) -> None:
    with pytest.raises(ValidationError, match="photo_store"):
        Settings.model_validate({"photo_store": url})


def test_pictures_of_production_outlive_its_processes() -> None:
    given = {"env": "production", "signing_key": "k" * 32}
    assert Settings.model_validate({**given, "photo_store": "s3://pictures"}).photo_store == "s3://pictures"
    with pytest.raises(ValidationError, match="NIMROD_PHOTO_STORE"):
        Settings.model_validate({**given, "photo_store": "memory:///"})
