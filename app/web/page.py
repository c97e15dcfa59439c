"""The GraphiQL page: built HTML, demo accounts in it, and headers that let it talk to its own server alone."""

import html
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

DIST_DIR = Path(__file__).parent / "dist"
ASSETS_DIR = DIST_DIR / "assets"

_DEMO_SLOT = '<meta name="nimrod-demo" content="[]" />'
_HOST = re.compile(r"(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?")


def graphiql_page(
    *, demo_accounts: Sequence[Mapping[str, Any]] | None, host: str | None = None
) -> tuple[bytes, dict[str, str]] | None:
    """HTML and headers, or None where the page was never built. Pass the Host header: older browsers read
    `connect-src 'self'` without WebSockets, so the same host is then named with its scheme."""
    try:
        page = (DIST_DIR / "index.html").read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    accounts = html.escape(json.dumps(list(demo_accounts or [])), quote=True)
    filled = page.replace(_DEMO_SLOT, _DEMO_SLOT.replace("[]", accounts))
    return filled.encode(), _headers(host)


def _headers(host: str | None) -> dict[str, str]:
    sockets = f" ws://{host} wss://{host}" if host and _HOST.fullmatch(host) else ""
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self' 'unsafe-inline'",  # the editor writes its theme as style elements
        "connect-src": f"'self'{sockets}",
        "worker-src": "'self'",
        "font-src": "'self' data:",  # GraphiQL's style sheet carries its fonts inside
        "img-src": "'self' data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Type": "text/html; charset=utf-8",
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cache-Control": "no-store",  # it may hold demo accounts, and names the newest assets
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
