"""One connection to the page: bounded in time and in number before anybody has shown a token."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["ASK_WITHIN_S", "BACKLOG", "MOST_CONNECTIONS", "WELCOME", "Visitor"]

MOST_CONNECTIONS = 64
"""Where one more comes, the oldest is closed: first those that were not let in, then those that were."""

ASK_WITHIN_S = 10.0
"""A connection without a whole request for so long is closed, also between two requests."""

BACKLOG = 32
"""At most so many are accepted in one go, before the oldest are closed."""

WELCOME = "welcome"
"""Key of a request's `state`: what is to be called once it was let in."""


class Visitor(H11Protocol):
    """uvicorn's protocol with a deadline for each request; who comes last always gets in.

    let_in: a request of this connection passed the guard.
    """

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, {**app_state, WELCOME: self._welcome}, _loop)
        self.let_in = False
        self.since_s = self.loop.time()
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        others = [other for other in self.connections if isinstance(other, Visitor) and other is not self]
        if len(others) >= MOST_CONNECTIONS:
            oldest = min(others, key=lambda other: (other.let_in, other.since_s))
            self.connections.discard(oldest)
            oldest.transport.abort()
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._wait()

    def _welcome(self) -> None:
        self.let_in = True

    def _wait(self) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            self._deadline = self.loop.call_later(ASK_WITHIN_S, self._expire)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()

    def _expire(self) -> None:
        if self.cycle is None or self.cycle.response_complete:  # else `on_response_complete` waits anew
            self.transport.abort()
