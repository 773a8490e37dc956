"""Alerts to an address on the web: each message is the body of one POST."""

from __future__ import annotations

from urllib.parse import urlsplit

from crowdad._version import __version__
from crowdad.errors import ConfigError
from crowdad.outputs.alerts._base import RefusedError, Sink, not_installed

__all__ = ["WebhookSink"]

_TIMEOUT_S = 10.0
_TRY_AGAIN = {408, 425, 429}


class WebhookSink(Sink):
    """POSTs JSON to an http(s) address; 2xx takes it, 4xx refuses it for ever, anything else is tried again.

    Its path and query are often the key to somebody's chat room: notices name the host only.
    Raises ConfigError for another kind of address, or where httpx is not installed.
    """

    def __init__(self, url: str, timeout_s: float = _TIMEOUT_S) -> None:
        try:
            import httpx
        except ImportError:
            raise not_installed("httpx", "--webhook") from None
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("the webhook is no http:// or https:// address; write --webhook https://host/path")
        self.name = f"webhook {parts.hostname}"
        self._url = url
        self._client = httpx.Client(timeout=timeout_s, headers={"User-Agent": f"crowdad/{__version__}"})

    def send(self, line: str) -> None:
        import httpx

        try:
            answer = self._client.post(
                self._url, content=line.encode(), headers={"Content-Type": "application/json; charset=utf-8"}
            )
        except httpx.HTTPError as error:  # its text may hold the address
            raise ConnectionError(f"cannot be reached ({type(error).__name__})") from None
        if 400 <= answer.status_code < 500 and answer.status_code not in _TRY_AGAIN:
            raise RefusedError(f"it answered {answer.status_code}")
        if not answer.is_success:
            raise ConnectionError(f"it answered {answer.status_code}")

    def close(self) -> None:
        self._client.close()
