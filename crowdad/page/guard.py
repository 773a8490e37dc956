"""Who may see the page: every request is checked, every answer says what a browser may do with it."""

from __future__ import annotations

import ipaddress
import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from http import HTTPStatus
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from crowdad.page.visitor import WELCOME

__all__ = ["MOST_GUESSES", "Guard"]

MOST_GUESSES = 20
"""So many wrong tokens a minute are looked at from one address; then none for the rest of the minute, not the right one
either.  Cookies are no guesses: what they hold is made up anew at each start, and too long to be guessed."""

POLICY = (
    "default-src 'none'; img-src 'self' data:; style-src 'self'; script-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """Lets requests for our own name through, with the token where one is demanded.

    may_be_called: whether the Host header is one of our names.  token: None demands none.
    cookie: name of the cookie that lets a browser in once the token was given as ?token=.
    """

    def __init__(self, app: ASGIApp, *, may_be_called: Callable[[str], bool], token: str | None, cookie: str) -> None:
        self._app = app
        self._may_be_called = may_be_called
        self._token = token
        self._cookie = cookie
        self._key = secrets.token_urlsafe(32)
        self._guesses = _Guesses()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # There is nothing but HTTP here.
        refusal = self._refusal(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                if refusal is not None:
                    headers["Connection"] = "close"
            await send(message)

        if refusal is None:
            scope["state"][WELCOME]()
        await (self._app if refusal is None else refusal)(scope, receive, with_headers)

    def _refusal(self, scope: Scope) -> Response | None:
        """What is answered instead of what was asked for; None where nothing speaks against that."""
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        hosts = [value for name, value in headers if name == "host"]
        if len(hosts) != 1 or not self._may_be_called(hosts[0]):
            return PlainTextResponse("this page is not served under that name\n", HTTPStatus.MISDIRECTED_REQUEST)
        if self._token is None:
            return None
        given = parse_qs(scope["query_string"].decode("latin-1")).get("token")
        if given is None and any(_same(value, self._key) for value in _cookies(headers, self._cookie)):
            return None
        whose = _network(scope["client"])
        if given is not None and self._guesses.used_up(whose):
            return PlainTextResponse(
                "too many wrong tokens; try again in a minute\n", HTTPStatus.TOO_MANY_REQUESTS, {"Retry-After": "60"}
            )
        if given is not None and _same(given[0], self._token):
            answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)  # the token stays out of the address bar and history
            answer.set_cookie(self._cookie, self._key, httponly=True, samesite="lax", path="/")
            return answer
        if given is not None:
            self._guesses.wrong(whose)
        text = "a token is needed: open the address that crowdad printed, which ends in ?token=...\n"
        return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED)


class _Guesses:
    """Counts wrong tokens by who gave them, in bounded memory."""

    MINUTE_S = 60.0
    MOST_GUESSERS = 1024

    def __init__(self) -> None:
        self._counts: OrderedDict[str, tuple[float, int]] = OrderedDict()  # when the minute began, and how many

    def used_up(self, whose: str) -> bool:
        began_s, count = self._counts.get(whose, (0.0, 0))
        return count >= MOST_GUESSES and time.monotonic() - began_s < self.MINUTE_S

    def wrong(self, whose: str) -> None:
        now_s = time.monotonic()
        began_s, count = self._counts.pop(whose, (now_s, 0))
        self._counts[whose] = (began_s, count + 1) if now_s - began_s < self.MINUTE_S else (now_s, 1)
        if len(self._counts) > self.MOST_GUESSERS:
            self._counts.popitem(last=False)


def _network(client: tuple[str, int] | None) -> str:
    """Whom an address belongs to: a host of IPv6 has 2 to the 64 of them."""
    host = "" if client is None else client[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else host


def _same(given: str, wanted: str) -> bool:
    return secrets.compare_digest(given.encode("utf-8", "replace"), wanted.encode())


def _cookies(headers: list[tuple[str, str]], wanted: str) -> list[str]:
    """All values of this name.  Cookies of other programs on the host, of whatever form, stand beside them."""
    parts = [part.partition("=") for name, value in headers if name == "cookie" for part in value.split(";")]
    return [value.strip() for name, _, value in parts if name.strip() == wanted]
