"""Who sees the pages: whoever has the token, and asks for the server by a name that it knows.

A web page of somebody else may let a browser ask this server under a name of its own (DNS rebinding): so the name is
checked also where no token is asked for.
"""

import hmac
import ipaddress
import secrets
from collections.abc import Iterable
from urllib.parse import parse_qsl, urlencode

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from jobs.running.errors import Refused

TOKEN_VARIABLE = "HEADRACE_UI_TOKEN"
"""The environment variable that gives the token, so that it stays the same when the server starts anew."""
LEAST_TOKEN = 16
"""Characters of a token that is given."""
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
"""Of each answer: a page runs the scripts of this server alone, and nobody else shows it or keeps it."""


def make_token(given: str | None) -> str:
    """The token that was given, or a new one. Raises Refused if it can be guessed."""
    if given is None:
        return secrets.token_urlsafe(24)
    if len(given) < LEAST_TOKEN or not given.isascii() or not given.isprintable() or " " in given:
        raise Refused(
            f"{TOKEN_VARIABLE} is no token: give {LEAST_TOKEN} or more ASCII characters without blanks, such as those "
            "of `openssl rand -hex 16`."
        )
    return given


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches what listens on `host`."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


class Access:
    """Lets requests through to `app`, and gives each answer HEADERS."""

    def __init__(self, app: ASGIApp, token: str | None, hosts: Iterable[str], cookie: str) -> None:
        """`token`: None if none is asked for; `hosts`: names of this server, without a port; `cookie`: the name of the
        cookie in which a browser keeps the token.
        """
        self._app, self._token, self._cookie = app, token, cookie
        self._hosts = {host.lower() for host in hosts}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        answer = PlainTextResponse("only HTTP", 400) if scope["type"] != "http" else self._refusal(Request(scope))
        await (answer or self._app)(scope, receive, send_with_headers)

    def _refusal(self, request: Request) -> Response | None:
        """The answer to a request that does not get through; None if it does."""
        if _host_name(request.headers.get("host", "")) not in self._hosts:
            return PlainTextResponse(
                "This server does not know the name by which it was asked. Name it at its start: --allow-host NAME\n",
                421,
            )
        if request.method not in ("GET", "HEAD"):
            return PlainTextResponse("This server only shows.\n", 405, {"Allow": "GET, HEAD"})
        if self._token is None:
            return None
        if self._is_right(request.query_params.get("token")):
            return self._to_page_without_token(request)
        scheme, _, bearer = request.headers.get("authorization", "").partition(" ")
        given = bearer if scheme.lower() == "bearer" else request.cookies.get(self._cookie)
        if self._is_right(given):
            return None
        return PlainTextResponse(
            "This page needs the token: open the link that `headrace ui` has printed, or send the header "
            "Authorization: Bearer TOKEN\n",
            401,
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_right(self, given: str | None) -> bool:
        return given is not None and hmac.compare_digest(given.encode(), (self._token or "").encode())

    def _to_page_without_token(self, request: Request) -> Response:
        """So that the token stays neither in the address nor in the browser's history."""
        rest = [(name, value) for name, value in parse_qsl(request.url.query) if name != "token"]
        path = "/" + request.url.path.lstrip("/")
        answer = RedirectResponse(f"{path}?{urlencode(rest)}" if rest else path, 303)
        # Lax, not strict: the link may be clicked in another page, such as a terminal in the browser.
        answer.set_cookie(
            self._cookie, self._token or "", httponly=True, samesite="lax", secure=request.url.scheme == "https"
        )
        return answer


def _host_name(header: str) -> str:
    """The name in a Host header, without the port; of an IPv6 address in its brackets."""
    name = header.strip().lower()
    if name.startswith("["):
        return name.partition("]")[0] + "]"
    return name.partition(":")[0]
