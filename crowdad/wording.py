"""What may stand in a message, a log or a result: one line, nothing that steers a terminal, no login of a camera.

Here, too, how a place in the footage is written."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

__all__ = [
    "ARGUMENTS",
    "address_shown",
    "clock_text",
    "one_line",
    "options_named",
    "reader_text",
    "some_of",
    "without_login",
]

ARGUMENTS = {
    "--alert": "alerts",
    "--also-normal": "also_normal",
    "--device": "device",
    "--end": "end_s",
    "--false-alarms-per-hour": "false_alarms_per_hour",
    "--fps": "fps",
    "--max-pixels": "max_pixels",
    "--model": "model",
    "--mqtt": "mqtt",
    "--name": "name",
    "--no-heatmaps": "heatmaps=False",
    "--no-picture": "picture=False",
    "--overwrite": "overwrite=True",
    "--person-height": "person_height",
    "--realtime": "realtime=True",
    "--recorded-at": "recorded_at",
    "--resume": "resume=True",
    "--roi": "roi",
    "--runtime": "runtime",
    "--start": "start_s",
    "--stride": "stride",
    "--topic": "topic",
    "--unlabelled": "unlabelled=True",
    "--webhook": "webhook",
    "-o": "output",
}
"""Options of the command line that messages name -> what they are in Python."""

_COMMAND = re.compile(r"\bcrowdad (fit|detect|watch)\b(?: FOOTAGE -o (\S+))?")
_OPTION = re.compile(r"(?<![\w/.-])(?:--[a-z-]+|-o)(?![\w-])")
_names_options = False

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


def reader_text(text: str) -> str:
    """A message, written with the names of options, as its reader knows them: within `options_named` as it is, else
    with the arguments of Python's functions."""
    if _names_options:
        return text
    return _OPTION.sub(lambda found: ARGUMENTS.get(found[0], found[0]), _COMMAND.sub(_call, text))


def _call(found: re.Match[str]) -> str:
    return f"crowdad.{found[1]}" + ("" if found[2] is None else f"(FOOTAGE, output={found[2]!r})")


@contextmanager
def options_named() -> Iterator[None]:
    """Messages are for somebody at the command line, in all threads of this process."""
    global _names_options
    before, _names_options = _names_options, True
    try:
        yield
    finally:
        _names_options = before


def clock_text(time_s: float, tenths: bool = True) -> str:
    """0:07.4, 12:07.4 or 1:12:07.4; seconds since the first frame."""
    tenth = int(time_s * 10 + 1e-6)
    minutes, rest = divmod(tenth, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"


def some_of(names: Sequence[str], most: int = 4) -> str:
    """The first of these names, and how many more there are: "a, b and 3 more"."""
    more = len(names) - most
    return ", ".join(names) if more < 2 else f"{', '.join(names[:most])} and {more} more"
