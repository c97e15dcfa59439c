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


class Delivery(StrEnum):
    """How the events of a stream reach the sockets."""

    DIRECT = "direct"
    QUEUED = "queued"
    PRIVATE = "private"


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="NIMROD_", env_ignore_empty=True)

    env: Environment = Field(
        Environment.DEVELOPMENT,
        description="`production` refuses demo accounts, generated signing keys, introspection and GraphiQL.",
    )
    data_dir: Path = Field(Path(".nimrod"), description="Where the embedded database, maps and tiles live.")
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
    sign_in_tries_per_minute: int = Field(5, ge=1, description="Sign-in tries per account and per address.")
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
        7,
        ge=1,
        le=365,
        description="How long events of dispatch are kept for clients that come back; who comes later is told to read again.",
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
    def refuse_development_defaults(self) -> Settings:
        if self.is_production and self.signing_key is None:
            raise ValueError("NIMROD_SIGNING_KEY must be set in production (32 characters or more).")
        return self

    @model_validator(mode="after")
    def refuse_half_of_tls(self) -> Settings:
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise ValueError("NIMROD_TLS_CERTIFICATE and NIMROD_TLS_KEY belong together: set both, or none.")
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
