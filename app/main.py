"""The application: wiring only."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from strawberry.dataloader import DataLoader

from app import database, demo, downloads, gateway_webhooks, health, probe, telemetry, uploads
from app.auth import AccessTokens
from app.connections import Connections
from app.doorbell import Doorbell
from app.fanout.streams import SharedStreams
from app.gateway_webhooks import GatewayWebhooks
from app.gateways.clock import SystemClock
from app.gateways.issuers import Issuers, TrustedIssuer
from app.gateways.passwords import Argon2Hasher
from app.gateways.payments import payment_gateway
from app.gateways.photos import ObjectPhotos
from app.gateways.throttles import HourThrottle, MinuteThrottle
from app.http import HttpEndpoint
from app.photo_files import PhotoFiles
from app.receipt_pdf import ReceiptFiles
from app.sessions import SessionWatch
from app.settings import Delivery, Namespaces, Settings
from app.sockets import SocketEndpoint
from app.sse import EventStreams
from app.unsubscribing import Unsubscribing
from app.web import assets, page
from domain import letters, licences, ports, second_factors, trips
from domain.actor import Audience
from domain.ciphers import Cipher
from domain.seals import Seals
from resolvers.context import Ctx, MetroLoader, PaymentLoader, ReceiptLoader, ReservationLoader, Runtime, TariffLoader
from resolvers.cursors import CursorCodec
from resolvers.metros import load_metros
from resolvers.payments import load_payments
from resolvers.receipts import load_receipts
from resolvers.reservations import load_reservations
from resolvers.streams import Feed
from resolvers.tariffs import load_tariffs
from schema import build, limits

#: codes of a second factor that may be tried in an hour, for each try at signing in that a minute has
CODES_PER_TRY = 4
AUDIENCES = {
    Namespaces.CUSTOMER: (Audience.CUSTOMER,),
    Namespaces.OPS: (Audience.OPS,),
    Namespaces.ALL: build.ALL,
}


def metro_loader(runtime: Runtime) -> MetroLoader:
    return DataLoader(load_fn=partial(load_metros, runtime))


def tariff_loader(runtime: Runtime) -> TariffLoader:
    return DataLoader(load_fn=partial(load_tariffs, runtime))


def reservation_loader(ctx: Ctx) -> ReservationLoader:
    return DataLoader(load_fn=partial(load_reservations, ctx), cache=False)


def receipt_loader(ctx: Ctx) -> ReceiptLoader:
    return DataLoader(load_fn=partial(load_receipts, ctx), cache=False)


def payment_loader(ctx: Ctx) -> PaymentLoader:
    return DataLoader(load_fn=partial(load_payments, ctx), cache=False)


def redis_of(settings: Settings) -> str | None:
    url = settings.doorbell_url
    return url if url is not None and url.startswith("redis") else None


def issuers(settings: Settings, clock: ports.Clock) -> Issuers:
    trusted = {}
    if settings.oidc_customer_issuer and settings.oidc_customer_client_id:
        trusted[Audience.CUSTOMER] = TrustedIssuer(settings.oidc_customer_issuer, settings.oidc_customer_client_id)
    if settings.oidc_ops_issuer and settings.oidc_ops_client_id:
        trusted[Audience.OPS] = TrustedIssuer(
            settings.oidc_ops_issuer,
            settings.oidc_ops_client_id,
            role_claim=settings.oidc_ops_role_claim,
            metros_claim=settings.oidc_ops_metros_claim,
        )
    return Issuers(trusted, clock, skew_seconds=settings.oidc_skew_seconds, max_age_seconds=settings.oidc_max_age_seconds)


def build_runtime(
    settings: Settings, sessions: database.SessionFactory, tokens: AccessTokens, feed: Feed, clock: ports.Clock
) -> Runtime:
    seals = Seals(settings.secret())
    return Runtime(
        sessions=sessions,
        readers=database.readers_of(sessions),
        clock=clock,
        hasher=Argon2Hasher(),
        payments=payment_gateway(settings),
        throttle=MinuteThrottle(settings.sign_in_tries_per_minute, redis_of(settings)),
        code_throttle=HourThrottle(CODES_PER_TRY * settings.sign_in_tries_per_minute, redis_of(settings)),
        tokens=tokens,
        identity_issuer=issuers(settings, clock),
        refresh_token_days=settings.refresh_token_days,
        cursors=CursorCodec(settings.secret()),
        licence_numbers=Cipher(settings.secret(), licences.PURPOSE),
        photo_store=ObjectPhotos.at(settings.photo_store, settings.data_dir),
        seals=seals,
        links=letters.Links(settings.public_url, seals),
        shows_simulated=not settings.is_production,
        second_factor_secrets=Cipher(settings.secret(), second_factors.PURPOSE),
        feed=feed,
        metro_loader=metro_loader,
        tariff_loader=tariff_loader,
        reservation_loader=reservation_loader,
        receipt_loader=receipt_loader,
        payment_loader=payment_loader,
        public_url=settings.public_url,
        exports_per_day=settings.exports_per_day,
    )


def shared_streams(settings: Settings, schema: build.NimrodSchema, runtime: Runtime) -> SharedStreams | None:
    if settings.stream_delivery is Delivery.PRIVATE:
        return None
    return SharedStreams(
        schema,
        runtime,
        window_seconds=settings.stream_window_milliseconds / 1000,
        writes_directly=settings.stream_delivery is Delivery.DIRECT,
    )


def create_app(settings: Settings, url: str, *, with_worker: bool, with_probe: bool = False) -> FastAPI:
    """The API on a migrated database at `url` (`postgresql://…`), with a worker inside and a probe beside it if asked for."""
    clock = SystemClock()
    tokens = AccessTokens(settings.secret(), clock, minutes=settings.access_token_minutes)
    allowed = limits.Limits(
        tokens=settings.max_document_tokens,
        fields=settings.max_document_fields,
        depth=settings.max_document_depth,
        aliases=settings.max_document_aliases,
    )
    schema = build.build(AUDIENCES[settings.namespaces], allowed, introspection=not settings.is_production)

    connections = Connections(settings.max_connections_per_account)

    def endpoints(served: build.NimrodSchema, runtime: Runtime) -> tuple[HttpEndpoint, SocketEndpoint]:
        streams = shared_streams(settings, served, runtime)
        events = EventStreams(served, runtime, streams, connections)
        return (
            HttpEndpoint(served, runtime, tokens, events, max_body_bytes=settings.max_body_bytes),
            SocketEndpoint(
                served,
                runtime,
                tokens,
                allowed_origins=settings.cors_origins,
                max_operations=settings.max_subscriptions_per_socket,
                connections=connections,
                streams=streams,
            ),
        )

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        doorbell = Doorbell.at(settings.doorbell_url, url)
        await doorbell.open()
        async with database.opened(settings, url, doorbell if settings.doorbell_url else None) as sessions:
            feed = Feed(database.readers_of(sessions), doorbell)
            feed.start()
            runtime = build_runtime(settings, sessions, tokens, feed, clock)
            app.state.runtime = runtime
            app.state.graphql, app.state.sockets = endpoints(schema, runtime)
            if with_probe:
                http, sockets = endpoints(probe.build(allowed), runtime)
                app.router.routes += [Route(probe.PATH, http, methods=None), WebSocketRoute(probe.PATH, sockets)]
            app.state.webhooks = GatewayWebhooks(sessions, clock, runtime.payments, trips.deposit_decided)
            app.state.unsubscribing = Unsubscribing(runtime)
            app.state.health = health.Health(sessions, doorbell, models=settings.models or ["offline"])
            tasks = [asyncio.create_task(SessionWatch(connections, runtime).run(), name="sessions")]
            if with_worker:
                tasks.append(_start_worker(settings, url, sessions, clock))
            try:
                yield
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                await feed.stop()
                await runtime.unmet_demand.settle()
                await runtime.payments.close()
                await doorbell.close()

    app = FastAPI(title="Nimrod", lifespan=lifespan, openapi_url=None, docs_url=None, redoc_url=None)
    app.router.routes += [
        Route("/graphql", _Graphql(settings), methods=None),
        WebSocketRoute("/graphql", _Sockets()),
        Route("/exports/{token}", downloads.Exports(redis_of(settings))),
        Route("/uploads/{token}", uploads.Uploads(redis_of(settings), PhotoFiles())),
        Route("/receipts/{token}.pdf", ReceiptFiles(settings, redis_of(settings))),
        Route("/photos/{token}", uploads.Views(redis_of(settings))),
        Route(gateway_webhooks.PATH, _webhook, methods=["POST"]),
        Route(letters.UNSUBSCRIBE_PATH, _unsubscribe, methods=["GET", "POST"]),
        Route("/health", health.health),
        Route("/health/ready", _ready),
    ]
    if not settings.is_production:
        app.mount(assets.ASSETS_PATH, assets.Assets())
    app.add_middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "PUT"],
        allow_headers=["authorization", "content-type", "last-event-id", "x-request-id"],
        expose_headers=["x-request-id", "server-timing"],
        max_age=600,
    )
    app.add_middleware(telemetry.RequestLog)
    return app


def _start_worker(settings: Settings, url: str, sessions: database.SessionFactory, clock: SystemClock) -> asyncio.Task[None]:
    # Models and maps are only loaded where a worker runs: an API process does without their memory.
    from app.worker import Worker

    return asyncio.create_task(Worker(settings, url, sessions, clock).run(), name="worker")


class _Graphql:
    """GraphQL for programs, GraphiQL for people in a browser (development only)."""

    def __init__(self, settings: Settings) -> None:
        self._is_production = settings.is_production

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope)
        if not self._is_production and request.method == "GET" and "text/html" in request.headers.get("accept", ""):
            shown = page.graphiql_page(demo_accounts=demo.ACCOUNTS, host=request.headers.get("host"))
            if shown is not None and "query" not in request.query_params:
                await Response(shown[0], headers=shown[1])(scope, receive, send)
                return
        await scope["app"].state.graphql(scope, receive, send)


class _Sockets:
    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await scope["app"].state.sockets(scope, receive, send)


async def _unsubscribe(request: Request) -> Response:
    unsubscribing: Unsubscribing = request.app.state.unsubscribing
    return await unsubscribing(request)


async def _webhook(request: Request) -> Response:
    webhooks: GatewayWebhooks = request.app.state.webhooks
    return await webhooks(request)


async def _ready(request: Request) -> Any:
    return await health.ready_route(request.app.state.health)(request)
