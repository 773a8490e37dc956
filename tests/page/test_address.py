"""Where the page is served and by which names, so that no other site's page can read it."""

from __future__ import annotations

import socket

import pytest

from crowdad.errors import ConfigError
from crowdad.page.address import PageAddress


@pytest.mark.parametrize(
    ("text", "host", "port", "loopback"),
    [
        ("8080", "127.0.0.1", 8080, True),
        ("0", "127.0.0.1", 0, True),
        ("localhost:80", "localhost", 80, True),
        ("127.0.0.5:1", "127.0.0.5", 1, True),
        ("[::1]:8080", "::1", 8080, True),
        ("0.0.0.0:8080", "0.0.0.0", 8080, False),
        ("[::]:8080", "::", 8080, False),
        ("cam.example:8080", "cam.example", 8080, False),
        ("localhost.example:8080", "localhost.example", 8080, False),
    ],
)
def test_ports_alone_are_this_machine_only(text: str, host: str, port: int, loopback: bool) -> None:
    address = PageAddress.parse(text)
    assert (address.host, address.port, address.loopback) == (host, port, loopback)


@pytest.mark.parametrize("text", ["", "eighty", "70000", "1:2:3", "::1:80", "host", "http://host:80", "a b:80", "-1"])
def test_what_is_no_address_is_one_line(text: str) -> None:
    with pytest.raises(ConfigError, match="port"):
        PageAddress.parse(text)


OWN = socket.gethostname()


@pytest.mark.parametrize(
    ("address", "host", "may"),
    [
        ("8080", "127.0.0.1:8080", True),
        ("8080", "localhost:9999", True),  # through a tunnel
        ("8080", "[::1]:8080", True),
        ("8080", "evil.example:8080", False),
        ("8080", "localhost.evil.example", False),
        ("8080", "192.168.0.7:8080", False),
        ("8080", "", False),
        ("8080", "127.0.0.1:8080@evil", False),
        ("0.0.0.0:8080", "192.168.0.7:8080", True),
        ("0.0.0.0:8080", "[fe80::1]:8080", True),
        ("0.0.0.0:8080", f"{OWN}:8080", True),
        ("0.0.0.0:8080", "evil.example", False),
        ("0.0.0.0:8080", "999.999.999.999", False),
        ("cam.example:8080", "CAM.example:8080", True),
    ],
)
def test_other_sites_names_are_refused(address: str, host: str, may: bool) -> None:
    assert PageAddress.parse(address).may_be_called(host) is may


def test_urls_can_be_opened() -> None:
    assert PageAddress.parse("[::1]:0").url(81) == "http://[::1]:81/"
    assert PageAddress.parse("0.0.0.0:0").url(81) == f"http://{OWN}:81/"
