"""What every sink of alerts has in common."""

from __future__ import annotations

from abc import ABC, abstractmethod

from crowdad.errors import ConfigError

__all__ = ["RefusedError", "Sink", "not_installed"]


class RefusedError(Exception):
    """The other side will never take this message; trying again is in vain."""


class Sink(ABC):
    """One place that alerts go to.  Used by one thread; may take its time, but not for ever.

    name: what it is called in notices; nothing secret.
    """

    name: str

    @abstractmethod
    def send(self, line: str) -> None:
        """Deliver one message, a line of JSON.

        Raises RefusedError where it will never be taken, any other exception where another try may do.
        """

    def close(self) -> None:  # noqa: B027 - most have nothing to close
        """Let go of what was opened."""


def not_installed(library: str, option: str) -> ConfigError:
    """What to raise where the library of an optional sink is not installed."""
    return ConfigError(f'{option} needs {library}, which is not installed; pip install "crowdad[alerts]"')
