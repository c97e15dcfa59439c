"""The part of a prompt that the server writes: now, metro, position, language, or the decision to report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

_MARK = "Server context (JSON, not written by the rider): "


def prompt_of(context: dict[str, Any], text: str | None) -> list[str]:
    """The server's part first, alone in its own content item: the rider's words can never stand there."""
    frozen = _MARK + json.dumps(context, ensure_ascii=False, sort_keys=True)
    return [frozen] if text is None else [frozen, text]


def read_prompt(content: str | Sequence[Any]) -> tuple[dict[str, Any], str]:
    """The context and the rider's words of a prompt; a prompt without a context part is all the rider's."""
    parts = [content] if isinstance(content, str) else [part for part in content if isinstance(part, str)]
    if not isinstance(content, str) and parts and parts[0].startswith(_MARK):
        context: dict[str, Any] = json.loads(parts[0].removeprefix(_MARK))
        return context, "\n".join(parts[1:])
    return {}, "\n".join(parts)
