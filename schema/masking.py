"""Masking: what callers are told of errors outside the unions. Nothing internal leaves; the log has the rest."""

from __future__ import annotations

import logging
import secrets

from graphql import GraphQLError, GraphQLSyntaxError

from domain.errors import DomainError, InvalidInput, TooManyTries
from schema import errors

logger = logging.getLogger(__name__)


def present(error: GraphQLError, request_id: str) -> GraphQLError:
    """The same error with `extensions.code`; anything unexpected becomes an id that the log explains."""
    original = error.original_error
    if isinstance(original, DomainError):
        return _with(error, original.message, _extensions_of(original))
    if original is None or isinstance(original, GraphQLError):
        if "code" in (error.extensions or {}):
            return error
        code = "GRAPHQL_PARSE_FAILED" if isinstance(error, GraphQLSyntaxError) else "GRAPHQL_VALIDATION_FAILED"
        return _with(error, error.message, {"code": "BAD_USER_INPUT" if error.path else code})
    error_id = secrets.token_hex(6)
    logger.error("masked error", exc_info=original, extra={"error_id": error_id, "request_id": request_id})
    message = "Something went wrong on our side. Nothing of it is known to have been done; quote the errorId when asking."
    return _with(error, message, {"code": "INTERNAL_SERVER_ERROR", "errorId": error_id})


def _extensions_of(original: DomainError) -> dict[str, object]:
    extensions: dict[str, object] = {"code": errors.CODES.get(type(original), "BAD_USER_INPUT")}
    if isinstance(original, TooManyTries):
        extensions["retryAfterSeconds"] = original.retry_after_seconds
    if original.path:
        extensions["path"] = original.path
    if isinstance(original, InvalidInput) and len(original.issues) > 1:
        extensions["issues"] = [{"path": issue.path.split("."), "message": issue.message} for issue in original.issues]
    return extensions


def _with(error: GraphQLError, message: str, extensions: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message,
        nodes=error.nodes,
        source=error.source,
        positions=error.positions,
        path=error.path,
        extensions={**(error.extensions or {}), **extensions},
    )
