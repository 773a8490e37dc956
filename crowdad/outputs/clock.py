"""How a place in the footage is written."""

from __future__ import annotations

__all__ = ["clock_text"]


def clock_text(time_s: float, tenths: bool = True) -> str:
    """0:07.4, 12:07.4 or 1:12:07.4; seconds since the first frame."""
    tenth = int(time_s * 10 + 1e-6)
    minutes, rest = divmod(tenth, 600)
    hours, minutes = divmod(minutes, 60)
    seconds = f"{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")
    return f"{hours}:{minutes:02d}:{seconds}" if hours else f"{minutes}:{seconds}"
