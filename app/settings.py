"""Settings: every environment variable of Nimrod, typed and described."""

from __future__ import annotations

import json
import secrets
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict


class Environment(StrEnum):
    DEVELOPMENT = "development"
    PRODUCTION = "production"


class Namespaces(StrEnum):
    CUSTOMER = "customer"
    OPS = "ops"
    ALL = "all"


class MailSecurity(StrEnum):
    """How mail is kept from those who listen on the way to its server."""

    TLS = "tls"
    STARTTLS = "starttls"
    NONE = "none"


class Delivery(StrEnum):
    """How the events of a stream reach the sockets."""

    DIRECT = "direct"
    QUEUED = "queued"
    PRIVATE = "private"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NIMROD_", env_ignore_empty=True)

    env: Environment = Field(
        Environment.DEVELOPMENT,
        description="`production` refuses demo accounts, generated signing keys, introspection, GraphiQL and simulators.",
    )
    data_dir: Path = Field(Path(".nimrod"), description="Where the embedded database, maps, tiles and pictures live.")
    database_url: str | None = Field(
        None, description="PostgreSQL 15 to 18, as `postgresql://…`. Unset: an embedded one starts by itself."
    )
    database_pool_size: int = Field(10, ge=2, le=200, description="Connections that one process keeps open at most.")
    database_timeout_seconds: float = Field(
        5, gt=0, description="How long a request waits for a connection or a statement before it gives up."
    )
    doorbell_url: str | None = Field(
        None,
        description="How processes tell each other that the event log has grown: `redis://…`, `memory://` (one process)"
        " or, unset, the database's own NOTIFY.",
    )
    namespaces: Namespaces = Field(Namespaces.ALL, description="What this process serves, and which queues its worker takes.")
    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    tls_certificate: Path | None = Field(None, description="Certificate chain in PEM, to speak TLS without a proxy in front.")
    tls_key: Path | None = Field(None, description="Private key of the certificate, in PEM.")
    public_url: str = Field(
        "http://127.0.0.1:8000",
        pattern="^https?://[^/].*[^/]$",
        description="Where links lead to, without a slash at the end. Unset, in development: to where this process listens.",
    )
    smtp_host: str | None = Field(
        None, description="Server that takes our mail. Unset: nothing leaves; in development a simulator shows what would have."
    )
    smtp_port: int = Field(587, ge=1, le=65535, description="Its port.")
    smtp_security: MailSecurity = Field(
        MailSecurity.STARTTLS, description="`starttls`, `tls` (from the first byte, port 465) or `none`."
    )
    smtp_certificates: Path | None = Field(
        None, description="Authorities in PEM that its certificate is checked by. Unset: the system's."
    )
    smtp_username: str | None = Field(None, description="Name to sign in there with.")
    smtp_password: str | None = Field(None, repr=False, description="Its password.")
    mail_sender: str = Field("Nimrod <no-reply@nimrod.invalid>", description="Whom our mail is from.")
    seller_name: str = Field("Nimrod", min_length=1, description="Who charges riders: what receipts are headed with.")
    seller_address: str = Field("", description="Its name in the register and its address, on one line.")
    seller_vat_id: str = Field("", description="Its VAT identification number.")
    sms_url: str | None = Field(
        None,
        pattern=r"\{to\}",
        repr=False,
        description="Where text messages go: a URL of Apprise with `{to}` for the number. Unset: as without `NIMROD_SMTP_HOST`.",
    )
    push_url: str | None = Field(
        None,
        pattern=r"\{to\}",
        repr=False,
        description="Where push messages go: the same with `{to}` for the token of the device.",
    )
    delivery_timeout_seconds: float = Field(
        10, gt=0, le=60, description="How long one attempt to send a mail, text message or push message may take."
    )
    lock_url: str | None = Field(
        None,
        pattern="^mqtts?://.",
        repr=False,
        description="Broker (MQTT 5) over which vehicles are unlocked, as `mqtts://user:password@host:port` or `mqtt://…`."
        " Unset: a simulator; in production no vehicle can be unlocked.",
    )
    lock_topic: str = Field(
        "nimrod", pattern=r"^[\w-]+(/[\w-]+)*$", description="What the topics of vehicles begin with at that broker."
    )
    lock_certificates: Path | None = Field(
        None, description="Authorities in PEM that its certificate is checked by. Unset: the system's."
    )
    cors_origins: Annotated[list[str], NoDecode] = Field(
        default_factory=list, description="Origins of front ends that browsers may call from, separated by commas."
    )
    signing_key: str | None = Field(
        None,
        min_length=32,
        description="Secret that signs access tokens and cursors, the same in every process. Unset: generated (development).",
    )
    access_token_minutes: int = Field(15, ge=1, le=60, description="How long an access token is good for.")
    refresh_token_days: int = Field(30, ge=1, le=365, description="How long a sign-in session lasts without being refreshed.")
    sign_in_tries_per_minute: int = Field(
        5, ge=1, description="Tries per account and per address of signing in, and of each other act that a stranger could try."
    )
    oidc_customer_issuer: str | None = Field(
        None,
        description="OpenID Connect issuer that riders may sign in with, as its ID tokens spell it in `iss`. Unset: none.",
    )
    oidc_customer_client_id: str | None = Field(
        None, min_length=1, description="Client id of the riders' front ends at that issuer: the `aud` of their ID tokens."
    )
    oidc_ops_issuer: str | None = Field(
        None, description="OpenID Connect issuer that staff may sign in with; may be the same. Unset: none."
    )
    oidc_ops_client_id: str | None = Field(None, min_length=1, description="Client id of the front ends of staff at that issuer.")
    oidc_ops_role_claim: str = Field(
        "role", min_length=1, description="Claim with the role of staff: `technician`, `dispatcher` or `admin`, one or a list."
    )
    oidc_ops_metros_claim: str = Field(
        "metros",
        min_length=1,
        description="Claim with the slugs of the metros that staff work in. Without it admins work in all, others in none.",
    )
    oidc_skew_seconds: int = Field(60, ge=0, le=300, description="How far an issuer's clock and ours may be apart.")
    oidc_max_age_seconds: int = Field(600, ge=10, le=86_400, description="How long after its issue an ID token is taken.")
    stripe_key: str | None = Field(
        None,
        pattern="^[rs]k_",
        repr=False,
        description="Key of Stripe, which charges cards. Unset: simulated; in production: none.",
    )
    stripe_webhook_secret: str | None = Field(None, pattern="^whsec_", repr=False, description="What it signs webhooks with.")
    stripe_url: str | None = Field(None, pattern="^https?://", description="Where its API is. Unset: at Stripe.")
    models: Annotated[list[str], NoDecode] = Field(
        default_factory=list,
        description="Backends of the agents in order of preference, as pydantic-ai model strings separated by commas,"
        " such as `openai-chat:gpt-5-mini`. Unset: the offline model.",
    )
    offline_token_delay_seconds: float = Field(
        0.0, ge=0, le=5, description="Pause of the offline model after each word, to watch it stream."
    )
    map: Path | None = Field(None, description="An OpenStreetMap extract (.osm.pbf). Unset: a generated demo city.")
    dispatch_history_days: int = Field(
        7, ge=1, le=365, description="How long events of dispatch are kept for those who come back."
    )
    export_days: int = Field(7, ge=1, le=30, description="How long the archive of a rider's data may be downloaded.")
    exports_per_day: int = Field(3, ge=1, le=100, description="Archives that a rider may ask for in 24 hours.")
    export_record_days: int = Field(30, ge=1, le=3650, description="How long it is kept that an archive was asked for.")
    notification_days: int = Field(90, ge=1, le=3650, description="How long it is kept what riders were told.")
    track_days: int = Field(30, ge=1, le=90, description="How long it is kept where trips went.")
    unmet_demand_days: int = Field(400, ge=30, le=3650, description="How long counts of searches without a result are kept.")
    idle_chat_days: int = Field(400, ge=1, le=3650, description="How long a conversation is kept in which nothing is said.")
    photo_store: str | None = Field(
        None,
        pattern="^(file:///|memory:///|s3://[^/])",
        repr=False,
        description="Where riders' pictures lie: `file:///folder` or `s3://bucket/folder`, the same for all processes."
        " Credentials of a bucket are read from `AWS_…`. Unset: `photos` in the data directory.",
    )
    photo_days: int = Field(90, ge=1, le=3650, description="How long a picture is kept that proves a return or a fault.")
    reservation_rider_days: int = Field(
        3650, ge=30, description="How long it is kept whose a closed reservation was; after that it is nobody's."
    )
    log_level: str = Field("info", description="debug, info, warning or error.")
    max_document_tokens: int = Field(2000, ge=100, description="Lexical tokens that a GraphQL document may have.")
    max_document_fields: int = Field(2000, ge=10, description="Fields that a GraphQL operation may select, fragments counted in.")
    max_document_depth: int = Field(12, ge=3, description="Levels that a GraphQL operation may nest.")
    max_document_aliases: int = Field(30, ge=1, description="Aliases that a GraphQL operation may use, fragments counted in.")
    max_body_bytes: int = Field(262_144, ge=1024, description="Size of a GraphQL request body or WebSocket message.")
    stream_delivery: Delivery = Field(
        Delivery.DIRECT,
        description="`direct`: subscriptions that are the same run once, and one frame is written to all their sockets."
        " `queued`: they run once, each socket has a queue. `private`: each runs for itself.",
    )
    stream_window_milliseconds: float = Field(
        0.0, ge=0, le=10, description="How long an event waits for others to be written with it, with `direct` delivery."
    )
    max_subscriptions_per_socket: int = Field(100, ge=1, description="Operations that one WebSocket may run at a time.")
    max_connections_per_account: int = Field(
        50, ge=1, description="WebSockets and event streams that one account may have open in one process."
    )
    drain_seconds: int = Field(
        5, ge=1, le=300, description="How long a process that is told to stop lets requests and operations come to their end."
    )

    @model_validator(mode="before")
    @classmethod
    def split_lists(cls, values: dict[str, object]) -> dict[str, object]:
        for name in ("cors_origins", "models"):
            given = values.get(name)
            if isinstance(given, str):
                values[name] = json.loads(given) if given.startswith("[") else [part.strip() for part in given.split(",")]
        return values

    @model_validator(mode="after")
    def lead_links_here(self) -> Settings:
        if not self.is_production and self.port and "public_url" not in self.model_fields_set:
            scheme = "http" if self.tls_certificate is None else "https"
            host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 - it is compared
            self.public_url = f"{scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"
        return self

    @model_validator(mode="after")
    def refuse_development_defaults(self) -> Settings:
        if self.is_production and self.signing_key is None:
            raise ValueError("NIMROD_SIGNING_KEY must be set in production (32 characters or more).")
        if self.is_production and (self.photo_store or "").startswith("memory:"):
            raise ValueError("NIMROD_PHOTO_STORE must not be memory in production: pictures would go with the process.")
        return self

    @model_validator(mode="after")
    def refuse_mail_that_leads_nowhere(self) -> Settings:
        if self.is_production and self.smtp_host is not None:
            missing = [f"NIMROD_{name.upper()}" for name in ("public_url", "mail_sender") if name not in self.model_fields_set]
            if missing:
                raise ValueError(f"With NIMROD_SMTP_HOST in production, set {' and '.join(missing)}: mails bear it.")
            if not self.public_url.startswith("https://"):
                raise ValueError("NIMROD_PUBLIC_URL must begin with https:// in production: links in mails open accounts.")
        return self

    @model_validator(mode="after")
    def refuse_half_of_tls(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("NIMROD_TLS_CERTIFICATE and NIMROD_TLS_KEY belong together: set both, or none.")
        return self

    @model_validator(mode="after")
    def refuse_half_of_an_issuer(self) -> Settings:
        for audience in ("customer", "ops"):
            issuer, client_id = getattr(self, f"oidc_{audience}_issuer"), getattr(self, f"oidc_{audience}_client_id")
            name = f"NIMROD_OIDC_{audience.upper()}_ISSUER"
            if (issuer is None) != (client_id is None):
                raise ValueError(f"{name} and its _CLIENT_ID belong together: set both, or none.")
            schemes = ("https://",) if self.is_production else ("https://", "http://")
            if issuer is not None and not issuer.startswith(schemes):
                raise ValueError(f"{name} must begin with {' or '.join(schemes)}.")
        return self

    @property
    def is_production(self) -> bool:
        return self.env is Environment.PRODUCTION

    def secret(self) -> bytes:
        """The signing key; in development one is generated once and kept in the data directory."""
        if self.signing_key is not None:
            return self.signing_key.encode()
        kept = self.data_dir / "signing-key"
        if not kept.exists():
            self.data_dir.mkdir(parents=True, exist_ok=True)
            draft = self.data_dir / f"signing-key.{secrets.token_hex(4)}"
            draft.write_text(secrets.token_urlsafe(48))
            draft.chmod(0o600)
            try:
                kept.hardlink_to(draft)
            except FileExistsError:
                pass  # another process was first: its key is everybody's
            finally:
                draft.unlink()
        return kept.read_text().encode()


def table() -> str:
    """The settings as a Markdown table, for the README."""
    rows = ["| variable | default | what it does |", "| --- | --- | --- |"]
    for name, field in Settings.model_fields.items():
        default = "" if field.is_required() or field.default is None else field.get_default(call_default_factory=True)
        shown = "" if default in ("", []) else f"`{default}`"
        rows.append(f"| `NIMROD_{name.upper()}` | {shown} | {field.description} |")
    return "\n".join(rows)


if __name__ == "__main__":
    readme = Path(__file__).parent / "README.md"
    head, _, rest = readme.read_text().partition("<!-- settings -->")
    readme.write_text(f"{head}<!-- settings -->\n{table()}\n<!-- /settings -->{rest.partition('<!-- /settings -->')[2]}")
