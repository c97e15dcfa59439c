"""Local issuers: a whole OpenID Connect provider, and one whose keys and answers a test decides; both over real HTTP."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
from joserfc import jwk, jwt

from app.gateways.issuer_keys import DISCOVERY
from tests.conftest import FixedClock

CLIENT = "nimrod-app"
_CALLBACK = "http://localhost/callback"


def part(value: Any) -> str:
    """One of the three parts of a token."""
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_with_secret(secret: bytes, claims: dict[str, Any], bits: int, kid: str | None = "first") -> str:
    """By hand: no careful library takes a public key for a secret."""
    header = {"alg": f"HS{bits}", **({"kid": kid} if kid else {})}
    signed = f"{part(header)}.{part(claims)}"
    mac = hmac.new(secret, signed.encode(), f"sha{bits}").digest()
    return f"{signed}.{base64.urlsafe_b64encode(mac).decode().rstrip('=')}"


class KeyIssuer:
    """Publishes the keys that it has and signs what it is told to."""

    def __init__(self, clock: FixedClock) -> None:
        self._clock = clock
        self.keys: list[jwk.RSAKey | jwk.ECKey | jwk.OKPKey] = [jwk.ECKey.generate_key("P-256", {"kid": "first"})]
        #: paths that were asked for
        self.asked: list[str] = []
        #: instead of its own answers, by path: status, headers, body
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        #: answers wait for it
        self.is_open = threading.Event()
        self.is_open.set()
        self.url = ""

    def rotate(self, kid: str | None) -> None:
        """From now on another key signs, and no other is published."""
        self.keys = [jwk.ECKey.generate_key("P-256", {"kid": kid} if kid else None)]

    def break_down(self) -> None:
        self.answers[DISCOVERY] = (503, {}, b"down")

    def recover(self) -> None:
        self.answers.clear()

    def claims(self, **given: Any) -> dict[str, Any]:
        """Those of a good token, changed; None takes a claim away."""
        now = int(self._clock.now().timestamp())
        plain = {
            "iss": self.url,
            "aud": CLIENT,
            "sub": "ada",
            "iat": now,
            "exp": now + 300,
            "email": "ada@example.org",
            "email_verified": True,
            "name": "Ada",
        }
        return {name: value for name, value in {**plain, **given}.items() if value is not None}

    def token(self, *, by: Any = None, algorithm: str = "ES256", kid: str | None = "", **given: Any) -> str:
        """Signed by the newest key, or by another; `kid` None leaves it out of the header."""
        key = by or self.keys[-1]
        header: dict[str, Any] = {"alg": algorithm, "typ": "JWT"}
        if kid is not None and (kid or key.kid):
            header["kid"] = kid or key.kid
        return jwt.encode(header, self.claims(**given), key, algorithms=[algorithm])

    def answer(self, path: str) -> tuple[int, dict[str, str], bytes]:
        self.asked.append(path)
        self.is_open.wait(10)
        if path in self.answers:
            return self.answers[path]
        if path == DISCOVERY:
            return 200, {}, json.dumps({"issuer": self.url, "jwks_uri": f"{self.url}/keys"}).encode()
        return 200, {}, json.dumps({"keys": [key.as_dict(private=False) for key in self.keys]}).encode()


@contextmanager
def serving(issuer: KeyIssuer) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, headers, body = issuer.answer(self.path)
            self.send_response(status)
            for name, value in {**headers, "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    issuer.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield
    finally:
        issuer.is_open.set()
        server.shutdown()
        thread.join()
        server.server_close()


class Provider:
    """A whole provider in a thread, stopped and started again on the same port: then it has another key."""

    def __init__(self, people: dict[str, dict[str, Any]]) -> None:
        self._people = people
        self._running: Any = None
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://localhost:{self.port}"

    def start(self) -> None:
        # Not at the top: what importing it warns of is for its authors.
        import oidc_provider_mock as provider

        people = [provider.User(sub=subject, claims=claims) for subject, claims in self._people.items()]
        self._running = provider.run_server_in_thread(self.port, user_claims=people, access_token_max_age=timedelta(minutes=30))
        self.port = self._running.__enter__().server_port

    def stop(self) -> None:
        if self._running is not None:
            self._running.__exit__(None, None, None)
            self._running = None

    async def sign_in(self, subject: str, *, client_id: str = CLIENT, nonce: str | None = None) -> str:
        """The ID token of an authorization code flow that the person has agreed to."""
        asked = {"client_id": client_id, "redirect_uri": _CALLBACK, "response_type": "code", "scope": "openid email profile"}
        if nonce is not None:
            asked["nonce"] = nonce
        async with httpx.AsyncClient(base_url=self.url, trust_env=False) as browser:
            agreed = await browser.post("/oauth2/authorize", params=asked, data={"sub": subject})
            code = parse_qs(urlsplit(agreed.headers["location"]).query)["code"][0]
            redeemed = {"grant_type": "authorization_code", "code": code, "redirect_uri": _CALLBACK}
            granted = await browser.post("/oauth2/token", data=redeemed, auth=(client_id, "secret"))
        token: str = granted.json()["id_token"]
        return token
