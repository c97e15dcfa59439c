"""The fates of a tool's error: which exception the model sees for which failure."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from pydantic_ai import ModelRetry
from pydantic_ai.exceptions import ToolFailed

from domain import errors


@contextmanager
def told_to_the_model() -> Iterator[None]:
    """Expected failures become final results that the model explains; everything else ends the turn."""
    try:
        yield
    except errors.DomainError as error:
        raise ToolFailed(sentence(error)) from error


@contextmanager
def to_be_corrected() -> Iterator[None]:
    """A malformed argument, such as an invented id: the model gets another try."""
    try:
        yield
    except errors.InvalidInput as error:
        raise ModelRetry(sentence(error)) from error


def sentence(error: errors.DomainError) -> str:
    if isinstance(error, errors.InvalidInput):
        return " ".join(issue.message for issue in error.issues)
    return error.message
