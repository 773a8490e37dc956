"""Who may see the page: every request is checked, every answer says what a browser may do with it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs

from starlette.datastructures import MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Guard"]

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
    cookie: name of the cookie that holds the token once it was given as ?token=.
    """

    def __init__(self, app: ASGIApp, *, may_be_called: Callable[[str], bool], token: str | None, cookie: str) -> None:
        self._app = app
        self._may_be_called = may_be_called
        self._token = token
        self._cookie = cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return  # There is nothing but HTTP here.
        refusal = self._refusal(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(_HEADERS)
            await send(message)

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
        if given is not None and self._matches(given[0]):
            answer = RedirectResponse("/", HTTPStatus.SEE_OTHER)  # the token stays out of the address bar and history
            answer.set_cookie(self._cookie, self._token, httponly=True, samesite="lax", path="/")
            return answer
        if given is None and any(self._matches(value) for value in _cookies(headers, self._cookie)):
            return None
        text = "a token is needed: open the address that crowdad printed, which ends in ?token=...\n"
        return PlainTextResponse(text, HTTPStatus.UNAUTHORIZED)

    def _matches(self, given: str) -> bool:
        assert self._token is not None
        return secrets.compare_digest(given.encode("utf-8", "replace"), self._token.encode())


def _cookies(headers: list[tuple[str, str]], wanted: str) -> list[str]:
    found = []
    for name, value in headers:
        if name == "cookie":
            jar: SimpleCookie = SimpleCookie()
            try:
                jar.load(value)
            except CookieError:
                continue
            found += [morsel.value for key, morsel in jar.items() if key == wanted]
    return found
