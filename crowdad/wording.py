"""What may stand in a message, a log or a result: one line, nothing that steers a terminal, no login of a camera."""

from __future__ import annotations

import re

__all__ = ["one_line", "without_login"]

# user:password@ up to the last @ of the address, as passwords hold @ and / though they should not; a port is none
_LOGIN = re.compile(r"(?<=://)(?:[^\s/:@]*:(?!\d+(?:[/?\s]|$))\S*@|[^\s/]*@)")
_SECRET_FIELD = re.compile(
    r"([?&;](?:user|username|usr|login|pass|passwd|password|pwd|auth|token|secret|key|apikey|api_key)=)[^&;\s]*",
    re.IGNORECASE,
)


def without_login(text: str) -> str:
    """The text with user, password and tokens of every address in it left out: `rtsp://host/live?token=...`."""
    return _SECRET_FIELD.sub(r"\1...", _LOGIN.sub("", text))


def one_line(text: str) -> str:
    """The text with line breaks, control signs and marks that turn the direction of writing shown as escapes."""
    return "".join(sign if sign.isprintable() else _escaped(sign) for sign in text)


def _escaped(sign: str) -> str:
    return sign.encode("unicode_escape", "backslashreplace").decode()
