"""GraphQL over HTTP: requests in, responses with the status and media type that the draft of the specification asks for.

https://graphql.github.io/graphql-over-http/draft/
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import orjson
from graphql import GraphQLError, OperationType
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from strawberry.schema.exceptions import InvalidOperationTypeError
from strawberry.types.execution import ExecutionResult, PreExecutionError

from app import telemetry
from app.auth import AccessTokens, InvalidToken, bearer_of
from app.connections import TooManyConnections
from resolvers.context import Ctx, Runtime
from schema.build import HTTP_OPERATIONS, SAFE_OPERATIONS, NimrodSchema

if TYPE_CHECKING:
    from app.sse import EventStreams

RESPONSE_JSON = "application/graphql-response+json"
JSON = "application/json"
EVENT_STREAM = "text/event-stream"
_STATUS = {"UNAUTHENTICATED": 401, "FORBIDDEN": 403, "RATE_LIMITED": 429, "UNAVAILABLE": 503, "INTERNAL_SERVER_ERROR": 500}


@dataclass(frozen=True, slots=True)
class Refusal(Exception):
    """The request cannot be run at all."""

    status: int
    message: str
    code: str = "BAD_REQUEST"
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class GraphQLRequest:
    query: str
    variables: dict[str, Any] | None
    operation_name: str | None


class HttpEndpoint:
    """ASGI app for `/graphql` over HTTP; what is asked for as `text/event-stream` is answered by `events`."""

    def __init__(
        self, schema: NimrodSchema, runtime: Runtime, tokens: AccessTokens, events: EventStreams, *, max_body_bytes: int
    ) -> None:
        self.events = events
        self._schema = schema
        self._runtime = runtime
        self._tokens = tokens
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        media_type = JSON
        response: ASGIApp
        try:
            accepted = _negotiate(request.headers.get("accept"))
            media_type = next((one for one in accepted if one != EVENT_STREAM), JSON)
            response = await self._run(request, accepted)
        except Refusal as refusal:
            response = _refused(refusal, media_type)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def _run(self, request: Request, accepted: list[str]) -> ASGIApp:
        asked = await self._read(request)
        context = self._context(request)
        if self._is_stream(asked, accepted):
            return self._stream(request, asked, context)
        media_type = next(one for one in accepted if one != EVENT_STREAM)
        try:
            result = await self._schema.execute(
                asked.query,
                variable_values=asked.variables,
                operation_name=asked.operation_name,
                context_value=context,
                allowed_operation_types=SAFE_OPERATIONS if request.method == "GET" else HTTP_OPERATIONS,
            )
        except InvalidOperationTypeError as error:
            raise _wrong_operation(error) from None
        facts = request.scope["state"]
        facts["facts"] = {"operation": asked.operation_name, "actor": _name_of(context), "errors": _codes(result)}
        return _answer(result, media_type)

    def _is_stream(self, asked: GraphQLRequest, accepted: list[str]) -> bool:
        """Asked for, or the only accepted form that a subscription has."""
        if EVENT_STREAM not in accepted:
            return False
        return accepted[0] == EVENT_STREAM or self.events.kind(asked.query, asked.operation_name) is OperationType.SUBSCRIPTION

    def _stream(self, request: Request, asked: GraphQLRequest, context: Ctx) -> ASGIApp:
        if request.method == "GET" and self.events.kind(asked.query, asked.operation_name) is OperationType.MUTATION:
            raise _writing_get()
        try:
            stream = self.events.answer(context, asked, request.headers.get("last-event-id"))
        except TooManyConnections:
            message = f"An account has {self.events.connections.per_account} connections at most."
            raise Refusal(429, message, "TOO_MANY_CONNECTIONS") from None
        request.scope["state"]["facts"] = {
            "operation": asked.operation_name,
            "actor": _name_of(context),
            "errors": stream.codes,
        }
        return stream

    def _context(self, request: Request) -> Ctx:
        try:
            token = bearer_of(request.headers.get("authorization"))
            who, expires_at = self._tokens.actor_of(token) if token else (None, None)
        except InvalidToken as error:
            headers = (("WWW-Authenticate", 'Bearer error="invalid_token"'),)
            raise Refusal(401, str(error), "UNAUTHENTICATED", headers) from None
        return Ctx(
            runtime=self._runtime,
            actor=who,
            address=request.client.host if request.client else "",
            request_id=telemetry.request_id_of(request.scope),
            expires_at=expires_at,
        )

    async def _read(self, request: Request) -> GraphQLRequest:
        if request.method == "GET":
            return _checked(_of_query_string(request.url.query))
        if request.method != "POST":
            raise Refusal(405, "Send a POST, or a GET for queries.", headers=(("Allow", "GET, POST"),))
        content_type, _, parameters = request.headers.get("content-type", "").partition(";")
        charset = parameters.partition("=")[2].strip(' "').lower()
        if content_type.strip().lower() != JSON or charset not in ("", "utf-8", "utf8"):
            raise Refusal(415, f"Send the request as {JSON} in UTF-8.")
        try:
            body = orjson.loads(await self._body(request))
        except orjson.JSONDecodeError:
            raise Refusal(400, "The body is not valid JSON.") from None
        if not isinstance(body, dict):
            raise Refusal(400, "The body is not a JSON object. Batches are not supported: send one operation at a time.")
        return _checked(body)

    async def _body(self, request: Request) -> bytes:
        chunks, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > self._max_body_bytes:
                raise Refusal(413, f"A request body has {self._max_body_bytes} bytes at most.")
            chunks.append(chunk)
        return b"".join(chunks)


def _negotiate(accept: str | None) -> list[str]:
    """The media types of an answer that are accepted, best first; for clients that do not say it is the older one, which
    has status 200 for all. `text/event-stream` only for who names it."""
    if accept is None:
        return [JSON]
    found: dict[str, float] = {}
    for part in accept.lower().split(","):
        name, *parameters = [piece.strip() for piece in part.split(";")]
        if name in ("application/*", "*/*"):
            name = JSON
        if name in (RESPONSE_JSON, JSON, EVENT_STREAM) and (quality := _quality(parameters)) > found.get(name, 0.0):
            found[name] = quality
    if not found:
        raise Refusal(406, f"This endpoint answers with {RESPONSE_JSON}, {JSON} or {EVENT_STREAM}.")
    return sorted(found, key=lambda name: -found[name])


def _quality(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                quality = float(parameter[2:])
            except ValueError:
                return 0.0
            return quality if math.isfinite(quality) else 0.0
        if parameter.startswith("charset=") and parameter[8:].strip('"') not in ("utf-8", "utf8"):
            return 0.0
    return 1.0


def _of_query_string(text: str) -> dict[str, Any]:
    given: dict[str, Any] = {name: values[-1] for name, values in parse_qs(text, keep_blank_values=True).items()}
    for name in ("variables", "extensions"):
        if given.get(name):
            try:
                given[name] = orjson.loads(given[name])
            except orjson.JSONDecodeError:
                raise Refusal(400, f"`{name}` is not valid JSON.") from None
        else:
            given.pop(name, None)
    if not given.get("operationName"):
        given.pop("operationName", None)
    return given


def _checked(given: dict[str, Any]) -> GraphQLRequest:
    query, variables, name = given.get("query"), given.get("variables"), given.get("operationName")
    if not isinstance(query, str) or not query:
        raise Refusal(400, "`query` must be the text of a GraphQL document.")
    if variables is not None and not isinstance(variables, dict):
        raise Refusal(400, "`variables` must be an object.")
    if name is not None and not isinstance(name, str):
        raise Refusal(400, "`operationName` must be a string.")
    if given.get("extensions") is not None and not isinstance(given["extensions"], dict):
        raise Refusal(400, "`extensions` must be an object.")
    return GraphQLRequest(query, variables, name or None)


def _wrong_operation(error: InvalidOperationTypeError) -> Refusal:
    if error.operation_type.value == "subscription":
        message = (
            f"Subscriptions run over a WebSocket (graphql-transport-ws) or as `Accept: {EVENT_STREAM}`, at the same address."
        )
        return Refusal(400, message)
    return _writing_get()


def _writing_get() -> Refusal:
    return Refusal(405, "A GET may only read: send mutations as a POST.", headers=(("Allow", "POST"),))


def formatted(result: ExecutionResult) -> dict[str, Any]:
    """The response of the specification: `data` only when the operation was run, `errors` only when there are any."""
    payload: dict[str, Any] = {}
    if result.errors:
        payload["errors"] = [error.formatted for error in result.errors]
    if not isinstance(result, PreExecutionError):
        payload["data"] = result.data
    if result.extensions:
        payload["extensions"] = result.extensions
    return payload


def _answer(result: ExecutionResult, media_type: str) -> Response:
    status = 200
    headers = {}
    if isinstance(result, PreExecutionError) and result.errors:
        code = _code(result.errors[0])
        if media_type == RESPONSE_JSON:
            status = _STATUS.get(code, 400)
        if code == "UNAUTHENTICATED":
            headers["WWW-Authenticate"] = "Bearer"
    return Response(orjson.dumps(formatted(result)), status, headers, f"{media_type}; charset=utf-8")


def _refused(refusal: Refusal, media_type: str) -> Response:
    error = {"message": refusal.message, "extensions": {"code": refusal.code}}
    body = orjson.dumps({"errors": [error]})
    return Response(body, refusal.status, dict(refusal.headers), f"{media_type}; charset=utf-8")


def _code(error: GraphQLError) -> str:
    return str((error.extensions or {}).get("code", ""))


def _codes(result: ExecutionResult) -> list[str]:
    return [_code(error) for error in result.errors or ()]


def _name_of(context: Ctx) -> str | None:
    return None if context.actor is None else f"{context.actor.audience}:{context.actor.account_id}"
