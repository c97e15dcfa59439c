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
