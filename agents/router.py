"""Which model answers: chosen per request from the configured backends, with fallback when one fails."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_ai.exceptions import (
    ModelConnectionError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestTimeout,
    ModelServerError,
    ModelUnavailableError,
    UserError,
)
from pydantic_ai.models import Model, infer_model
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.providers import Provider, infer_provider
from pydantic_ai.settings import ModelSettings

from agents.offline import OfflineModel

OFFLINE = "offline"
#: trouble of the backend. Faults of our request (400, 401, 404, 422) are not here: falling back would hide them.
FALL_BACK_ON = (
    ModelRateLimitError,
    ModelQuotaExceededError,
    ModelUnavailableError,
    ModelServerError,
    ModelConnectionError,
    ModelRequestTimeout,
)
_DEFAULT_WINDOW = 32_000
#: characters per token are guessed; the window must hold more than the guess
_WINDOW_MARGIN = 1.3


@dataclass(frozen=True, slots=True)
class Need:
    """What a request needs of its model."""

    context_tokens: int = 0
    images: bool = False


@dataclass(frozen=True, slots=True)
class Backend:
    name: str
    model: Model

    def supports(self, need: Need) -> bool:
        window = self.model.context_window or _DEFAULT_WINDOW
        return window >= need.context_tokens * _WINDOW_MARGIN and not (need.images and self.name == OFFLINE)


class ModelRouter:
    """Backends in the order of `names`, pydantic-ai model strings such as `openai-chat:gpt-x`; none means offline.

    `offline` may stand last in the list, as the answer when every provider is down. Raises ValueError, at start
    and not in the first chat, for an unknown provider or a missing key. `openai_base_url` and `openai_api_key`
    stand in for OPENAI_BASE_URL and OPENAI_API_KEY.
    """

    def __init__(
        self,
        names: Sequence[str] = (),
        *,
        openai_base_url: str | None = None,
        openai_api_key: str | None = None,
        request_timeout_seconds: float = 45.0,
        offline_token_delay_seconds: float = 0.0,
    ) -> None:
        self._openai_base_url, self._openai_api_key = openai_base_url, openai_api_key
        self._offline_delay = offline_token_delay_seconds
        self.backends = [Backend(name, self._build(name)) for name in [*filter(None, names)] or [OFFLINE]]
        #: the whole request, one try of it, and how often the client tries: a hanging provider must not hold a turn
        self.settings = ModelSettings(request_timeout=request_timeout_seconds, timeout=request_timeout_seconds / 2, max_retries=1)

    @classmethod
    def parse(cls, setting: str, **options: str | float | None) -> ModelRouter:
        """From the comma-separated setting NIMROD_MODELS."""
        return cls([name.strip() for name in setting.split(",")], **options)  # type: ignore[arg-type]

    def _build(self, name: str) -> Model:
        if name == OFFLINE:
            return OfflineModel(token_delay_seconds=self._offline_delay)
        try:
            return infer_model(name, self._provider)
        except (UserError, ValueError) as error:
            raise ValueError(f"NIMROD_MODELS names {name!r}, which cannot be used: {error}") from error

    def _provider(self, name: str) -> Provider[Any]:
        given = self._openai_base_url or self._openai_api_key
        if given and name in ("openai", "openai-chat", "openai-responses"):
            from pydantic_ai.providers.openai import OpenAIProvider  # loads OpenAI's client: only where it is used

            return OpenAIProvider(base_url=self._openai_base_url, api_key=self._openai_api_key)
        return infer_provider(name)

    def choose(self, need: Need) -> Model:
        """The first backend that can serve the need, the others behind it. The widest window when none is wide enough."""
        able = [backend for backend in self.backends if backend.supports(need)]
        if not able:
            able = [max(self.backends, key=lambda backend: backend.model.context_window or _DEFAULT_WINDOW)]
        first, *others = (backend.model for backend in able)
        return FallbackModel(first, *others, fallback_on=FALL_BACK_ON) if others else first
