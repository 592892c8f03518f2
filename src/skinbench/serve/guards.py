"""What stands before every request: who may ask, from where, and what a browser may do."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "skinbench-token"
HEADERS: Mapping[str, str] = {
    "content-security-policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cache-control": "no-store",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


@dataclass(frozen=True, kw_only=True)
class Access:
    """Who may ask."""

    hosts: frozenset[str]
    """Values of `Host` that are answered, in lower case, with the port."""
    token: str = field(default="", repr=False)
    """Needed on every request; "" on loopback, where none is."""


def is_loopback(host: str) -> bool:
    """Whether an address to listen on can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def access_of(host: str, port: int, names: tuple[str, ...], token: str) -> Access:
    """Which names a server is asked by.

    Args:
        host: address that it listens on.
        port: likewise.
        names: further names, for listening beyond loopback.
        token: "" for none.
    """
    known = {"localhost", "127.0.0.1", "[::1]", *(name.lower() for name in names)}
    if host not in {"0.0.0.0", "::"}:
        known.add(f"[{host}]" if ":" in host else host.lower())
    return Access(hosts=frozenset(f"{name}:{port}" for name in known), token=token)


class Guard:
    """Refuses foreign hosts, origins and strangers; adds headers to every answer.

    `Host` is checked so that a page elsewhere cannot reach the server by a name that resolves to
    it (DNS rebinding), `Origin` so that it cannot post to it.

    Args:
        app: what is guarded.
        access: who may ask.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        started = False

        async def send_guarded(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(scope)
        app = self._app if refusal is None else refusal
        try:
            await app(scope, receive, send_guarded)
        except Exception:
            # Not handed on: a server's log would hold the trace, and that parts of an upload.
            if not started:
                failed = problem(500, "failed", "the request could not be answered")
                await failed(scope, receive, send_guarded)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if host not in self._access.hosts:
            return problem(421, "foreign_host", "this server is not asked by that name")
        origin = headers.get("origin")
        if origin is not None and not self._own(origin):
            return problem(403, "foreign_origin", "this page may not ask this server")
        if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
            return problem(403, "foreign_origin", "another site may not ask this server")
        return self._stranger(scope, headers)

    def _own(self, origin: str) -> bool:
        parts = urlsplit(origin.lower())
        return parts.scheme in {"http", "https"} and parts.netloc in self._access.hosts

    def _stranger(self, scope: Scope, headers: Headers) -> Response | None:
        """None for who has the token; the page itself takes it once, from its address."""
        token = self._access.token
        if not token:
            return None
        given = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("token", [""])[0]
        if scope["path"] == "/" and scope["method"] == "GET" and _same(given, token):
            response = RedirectResponse("/", status_code=303)
            response.set_cookie(COOKIE, token, httponly=True, samesite="strict")
            return response
        scheme, _, bearer = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and _same(bearer.strip(), token):
            return None
        try:
            cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
        except CookieError:
            cookie = None
        if cookie is not None and _same(cookie.value, token):
            return None
        return problem(401, "no_token", "open the address with its token, or send it as Bearer")


def _same(given: str, token: str) -> bool:
    return hmac.compare_digest(given.encode(), token.encode())


def problem(status: int, code: str, message: str) -> JSONResponse:
    """A refusal as JSON."""
    return JSONResponse({"error": {"code": code, "message": message}}, status_code=status)
