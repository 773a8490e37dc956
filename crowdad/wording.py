"""What may stand in a message, a log or a result: one line, nothing that steers a terminal, no login of a camera.

Here, too, how a place in the footage is written."""

from __future__ import annotations

import re

__all__ = ["address_shown", "clock_text", "one_line", "without_login"]

_STORES = ("s3", "gs", "file")
_WEB = ("http", "https")
_SCHEME_SIGNS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-"
_HOST = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[\w.-]*)(?::\d{1,5})?")
_PLAIN_PATH = re.compile(r"[\w./%+~-]*")
_AFTER = ",.;:!)'\""


def address_shown(address: str) -> str:
    """Scheme, host and port of a camera's address, `rtsp://host:554`; all else may hold a login, and is left out.

    `rtsp://...` where not even the host can be told, as in `rtsp://admin:20/pass@host`.
    """
    scheme, _, rest = address.partition("://")
    authority, later = _split(rest)
    host = authority.rpartition("@")[2]
    if "@" in later:
        host = "..." if _HOST.fullmatch(host) else _split(later.rpartition("@")[2])[0]
    return f"{scheme}://{host if _HOST.fullmatch(host) else '...'}"


def _split(rest: str) -> tuple[str, str]:
    """What follows `://`, at the end of the host."""
    authority = re.split(r"[/?#\\]", rest, maxsplit=1)[0]
    return authority, rest[len(authority) :]


def without_login(text: str) -> str:
    """The text with all that may be secret left out of every address in it.

    Of a camera only what `address_shown` gives is left, of a page on the web the path too, of an object in a store all
    but a login and a query.
    """
    return "".join(_word_shown(word) if "://" in word else word for word in re.split(r"(\s+)", text))


def _word_shown(word: str) -> str:
    """A word that holds an address, with what stands around it."""
    before, _, rest = word.partition("://")
    start = len(before.rstrip(_SCHEME_SIGNS))
    scheme = before[start:]
    bare = rest.rstrip(_AFTER)
    authority, path = _split(bare)
    shown = address_shown(f"{scheme}://{bare}")
    if scheme.lower() in _STORES:
        shown = f"{scheme}://{authority.rpartition('@')[2]}{path.partition('?')[0]}"
    elif scheme.lower() in _WEB and "@" not in path:
        plain = _PLAIN_PATH.match(path)
        shown += "" if plain is None else plain[0]
    return f"{before[:start]}{shown}{rest[len(bare) :]}"


def one_line(text: str) -> str:
    """The text with line breaks, control signs and marks that turn the direction of writing shown as escapes."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "backslashreplace").decode()


def clock_text(time_s: float, tenths: bool = True) -> str:
    """0:07.4, 12:07.4 or 1:12:07.4; seconds since the first frame."""
    tenth = int(time_s * 10 + 1e-6)
    minutes, rest = divmod(tenth, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"
