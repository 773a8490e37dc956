"""Alerts to an address on the web: each message is the body of one POST."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crowdad._version import __version__
from crowdad.errors import ConfigError
from crowdad.outputs.alerts._base import RefusedError, Sink, not_installed

if TYPE_CHECKING:
    from httpx import AsyncHTTPTransport

__all__ = ["WebhookSink"]

_TIMEOUT_S = 10.0
_TRY_AGAIN = {408, 425, 429}
_HEADERS = {"Content-Type": "application/json; charset=utf-8", "User-Agent": f"crowdad/{__version__}"}


class WebhookSink(Sink):
    """POSTs JSON to an http(s) address; 2xx takes it, 3xx and 4xx refuse it for ever, anything else is tried again.

    Of an answer only the status is read, and all of it must be over within `timeout_s`.  Proxies are those of the
    environment (HTTPS_PROXY, ALL_PROXY, NO_PROXY).
    Its path and query are often the key to somebody's chat room: notices name the host only.
    Raises ConfigError for another kind of address, or where httpx is not installed.
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S) -> None:
        try:
            import httpx
        except ImportError:
            raise not_installed("httpx", "--webhook") from None
        try:
            parts = urlsplit(url)
            plain = url.isprintable() and " " not in url
            usable = plain and parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
            httpx.URL(url)
        except (ValueError, httpx.InvalidURL):
            usable = False
        if not usable:
            raise ConfigError("the webhook is no http:// or https:// address; write --webhook https://host/path")
        self.name = f"webhook {parts.hostname}"
        self._url = url
        self._timeout_s = timeout_s
        self._proxy = _proxy_of(url)
        self._tls = httpx.create_ssl_context()
        try:
            self._transport()
        except (ImportError, ValueError):
            kind = urlsplit(self._proxy or "").scheme
            raise ConfigError(
                f"the webhook's proxy ({kind}://..., from the environment) cannot be used; "
                'socks proxies need pip install "httpx[socks]", and NO_PROXY=HOST leaves a proxy out'
            ) from None

    def send(self, line: str) -> None:
        import httpx

        try:
            status = asyncio.run(self._status_of(line))
        except TimeoutError:
            raise ConnectionError(f"it did not answer within {self._timeout_s:g} s") from None
        except httpx.HTTPError as error:  # its text may hold the address
            raise ConnectionError(f"cannot be reached ({type(error).__name__})") from None
        if 300 <= status < 400:
            raise RefusedError(f"it answered {status}, that it has moved; give the address it has moved to")
        if 400 <= status < 500 and status not in _TRY_AGAIN:
            raise RefusedError(f"it answered {status}")
        if not 200 <= status < 300:
            raise ConnectionError(f"it answered {status}")

    async def _status_of(self, line: str) -> int:
        """What is answered; the body of the answer is not read, however long it is."""
        import httpx

        async with (
            asyncio.timeout(self._timeout_s),
            httpx.AsyncClient(transport=self._transport(), timeout=self._timeout_s) as client,
            client.stream("POST", self._url, content=line.encode(), headers=_HEADERS) as answer,
        ):
            return answer.status_code

    def _transport(self) -> AsyncHTTPTransport:
        import httpx

        return httpx.AsyncHTTPTransport(verify=self._tls, proxy=self._proxy)


def _proxy_of(url: str) -> str | None:
    """The proxy that the environment names for the address; httpx's own reading of NO_PROXY refuses networks."""
    from requests.utils import get_environ_proxies, select_proxy

    proxy = select_proxy(url, dict(get_environ_proxies(url)))
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"
