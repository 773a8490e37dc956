"""The server of a live page, in a thread of its own."""

from __future__ import annotations

import asyncio
import errno
import re
import secrets
import socket
import sys
import threading
import time
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Self
from urllib.parse import quote

from crowdad.errors import ConfigError, PageAddressError, PageNotInstalledError
from crowdad.page.address import PageAddress
from crowdad.page.board import Board
from crowdad.wording import one_line, without_login

if TYPE_CHECKING:
    from uvicorn import Server

__all__ = ["LivePage"]

_TOKEN = re.compile(r"[!-~]{8,}")
DESCRIPTORS = 1024
"""Files that the process may have open at least, where the system allows it; some libraries know no more."""

_WAITING = 1024  # where the system's queue is full, who comes next tries again after seconds
_START_S = 10.0
_STOP_S = 3.0


class LivePage:
    """A page about one camera; use it in a `with` block.

    address: see `PageAddress.parse`; the page is reached from this machine alone unless it says otherwise.
    name: what the camera is called; logins in it are left out.
    token: what a browser must know.  Where none is given and others can reach the address, one is made up.

    board: what it shows.  url: what to open, with the token.  token_made_up: nobody but the url knows it.
    Raises ConfigError, PageAddressError where the address cannot be had, PageNotInstalledError.
    """

    def __init__(self, address: str, *, name: str, token: str | None = None) -> None:
        missing = [module for module in ("fastapi", "uvicorn") if find_spec(module) is None]
        if missing:
            raise PageNotInstalledError(
                f"the live page needs {' and '.join(missing)}: pip install 'crowdad[page]', or leave out --page"
            )
        self._address = PageAddress.parse(address)
        if token is not None and not _TOKEN.fullmatch(token):
            raise ConfigError(
                "the page's token must be 8 signs or more, without blanks: letters, digits, -, _ and such"
            )
        self.token_made_up = token is None and not self._address.loopback
        if self.token_made_up:
            token = secrets.token_urlsafe(16)
        self.board = Board()
        _raise_descriptor_limit()
        self._socket = _bound(self._address)
        port = self._socket.getsockname()[1]
        self.url = self._address.url(port) + ("" if token is None else f"?token={quote(token)}")
        self._server = _server(self.board, one_line(without_login(name)), self._address, token, port)
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), name="page", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        give_up_s = time.monotonic() + _START_S
        while not self._server.started and self._thread.is_alive() and time.monotonic() < give_up_s:
            time.sleep(0.01)
        self._socket.listen(_WAITING)  # asyncio had it listen for no more than it accepts in one go
        return self

    async def _serve(self) -> None:
        # A browser that leaves, or a connection that cannot be accepted, is no news, and would be a traceback each.
        asyncio.get_running_loop().set_exception_handler(lambda *_: None)
        await self._server.serve([self._socket])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let all browsers go; one that does not take its goodbye is not waited for."""
        self.board.close()
        self._server.should_exit = True
        self._thread.join(_STOP_S)
        self._socket.close()


def _server(board: Board, name: str, address: PageAddress, token: str | None, port: int) -> Server:
    from uvicorn import Config, Server

    from crowdad.page.app import build_app
    from crowdad.page.guard import Guard
    from crowdad.page.visitor import BACKLOG, Visitor

    app = Guard(build_app(board, name), may_be_called=address.may_be_called, token=token, cookie=f"crowdad-{port}")
    config = Config(
        app,
        http=Visitor,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="critical",  # addresses hold the token, and a browser that leaves is no news
        access_log=False,
        server_header=False,
        backlog=BACKLOG,
        timeout_graceful_shutdown=1,
    )
    return Server(config)


def _raise_descriptor_limit() -> None:
    """Connections share one table of descriptors with cameras, clips and alerts."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = DESCRIPTORS if hard == resource.RLIM_INFINITY else min(DESCRIPTORS, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _bound(address: PageAddress) -> socket.socket:
    """A socket that listens there.  Raises PageAddressError."""
    where = f"{address.host}:{address.port}"
    try:
        kind, _, _, _, place = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(kind, socket.SOCK_STREAM)
    except OSError as error:
        raise PageAddressError(f"page {where}: no such address ({error.strerror}); give another --page") from error
    try:
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(place)
        found.listen(_WAITING)
    except OSError as error:
        found.close()
        if error.errno == errno.EADDRINUSE:
            what = "taken by another program"
        elif error.errno == errno.EACCES:
            what = "for the administrator only"
        else:
            what = f"not to be had ({error.strerror})"
        raise PageAddressError(f"page {where}: the address is {what}; give another --page, such as 8081") from error
    return found
