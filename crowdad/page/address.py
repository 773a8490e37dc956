"""Where a page is served, and by which names it may be asked for."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass

from crowdad.errors import ConfigError

__all__ = ["PageAddress"]

_FORM = re.compile(r"(?:(?P<host>\[[0-9A-Fa-f:.]+\]|[^\[\]:/@\s]+):)?(?P<port>\d{1,5})")


@dataclass(frozen=True)
class PageAddress:
    """host: a name or an IP address.  port: 0 lets the system choose one."""

    host: str
    port: int

    @staticmethod
    def parse(text: str) -> PageAddress:
        """The address of "8080" (this machine only), "0.0.0.0:8080", "[::]:8080", "name:8080".  Raises ConfigError."""
        found = _FORM.fullmatch(text.strip())
        if found is None or int(found["port"]) > 65535:
            raise ConfigError(f"page {text!r} is no address; write a port (8080) or HOST:PORT (0.0.0.0:8080)")
        return PageAddress((found["host"] or "127.0.0.1").strip("[]"), int(found["port"]))

    @property
    def loopback(self) -> bool:
        """Whether nobody but this machine can reach it."""
        return _is_loopback(self.host)

    def url(self, port: int) -> str:
        """What to open in a browser on this machine; port: the one that is really listened on."""
        host = socket.gethostname() if self.host in ("0.0.0.0", "::") else self.host
        return f"http://{f'[{host}]' if ':' in host else host}:{port}/"

    def may_be_called(self, host: str) -> bool:
        """Whether a browser may ask for it by this Host header.

        A name of somebody else's domain that leads here would let that domain's pages read this one ("DNS rebinding").
        Addresses are nobody's; names are this machine's own or the one that the user gave.
        """
        name = _name_of(host)
        if name is None:
            return False
        if self.loopback:
            return _is_loopback(name)
        own = socket.gethostname().lower()
        return _is_ip(name) or name in {"localhost", own, f"{own}.local", self.host.lower()}


def _name_of(host: str) -> str | None:
    """The name in a Host header, without its port, None where it is malformed."""
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d{1,5})?", host)
    return None if found is None else found[1].strip("[]").lower()


def _is_ip(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return name == "localhost" or (_is_ip(name) and ipaddress.ip_address(name).is_loopback)
