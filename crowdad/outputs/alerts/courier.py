"""Brings messages to one sink, in a thread of its own: a sink that fails or hangs holds up nobody else."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable

from crowdad.outputs.alerts._base import RefusedError, Sink
from crowdad.outputs.alerts.outbox import Outbox
from crowdad.outputs.watch_status import AlertsRecord

__all__ = ["Courier"]


class Courier:
    """Delivers what is offered, in order, and tries again until it is taken.

    sink: used by the courier's thread only, and closed by it.  outbox: where messages wait; lines that wait in it
    already are delivered first.  A message may reach the sink twice where the program was killed in between.
    notice: told in one line when the sink begins to fail, works again, or refuses a message; from any thread.
    first_wait_s, longest_wait_s: between two tries, doubled from the first to the longest.

    lost: messages that were thrown out or refused.  delivered: those that were taken.
    """

    def __init__(
        self,
        sink: Sink,
        outbox: Outbox,
        notice: Callable[[str], None],
        *,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 60.0,
    ) -> None:
        self._sink = sink
        self._outbox = outbox
        self._notice = notice
        self._first_wait_s = first_wait_s
        self._longest_wait_s = longest_wait_s
        self._wake = threading.Event()
        self._until: float | None = None
        self._failing = False
        self.lost = 0
        self.delivered = 0
        self._thread = threading.Thread(target=self._work, name=f"crowdad-{sink.name}", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Of the sink."""
        return self._sink.name

    @property
    def kept_where(self) -> str:
        """What becomes of messages that are left at the end, to follow on "not delivered"."""
        return f"; they wait in {self._outbox.path}" if self._outbox.is_kept else " and are lost"

    def offer(self, line: str) -> None:
        """Take a message for delivery; returns at once."""
        thrown_out = self._outbox.put(line)
        if thrown_out and not self.lost:
            self._notice(f"{self._sink.name}: too many alerts wait, the oldest are thrown out")
        self.lost += thrown_out
        self._wake.set()

    def close(self, patience_s: float = 5.0) -> int:
        """Deliver what still waits, for so long at most, and end; returns how many wait on.

        A sink that hangs is left to its thread, which ends with the program.
        """
        self._until = time.monotonic() + patience_s
        self._wake.set()
        self._thread.join(patience_s + 0.5)
        self._outbox.close()
        return len(self._outbox)

    def record(self) -> AlertsRecord:
        """What became of the messages so far."""
        return AlertsRecord(sink=self._sink.name, delivered=self.delivered, waiting=len(self._outbox), lost=self.lost)

    def _work(self) -> None:
        wait_s = self._first_wait_s
        while self._until is None or time.monotonic() < self._until:
            self._wake.clear()
            waiting = self._outbox.first()
            if waiting is None:
                if self._until is not None:
                    break
                self._wake.wait()
            elif self._delivers(*waiting):
                wait_s = self._first_wait_s
            else:
                self._pause(wait_s * random.uniform(0.5, 1.0))
                wait_s = min(2 * wait_s, self._longest_wait_s)
        try:
            self._sink.close()
        except Exception as error:  # whatever a sink does, the program goes on
            self._notice(f"{self._sink.name}: {_line_of(error)}")

    def _delivers(self, number: int, line: str) -> bool:
        """Whether the message is out of the outbox: taken, or refused for ever."""
        try:
            self._sink.send(line)
        except RefusedError as error:
            self.lost += 1
            self._notice(f"{self._sink.name}: an alert was refused ({_line_of(error)}) and is not sent again")
        except Exception as error:  # whatever a sink does, the program goes on
            if not self._failing:
                self._failing = True
                self._notice(f"{self._sink.name}: {_line_of(error)}; alerts wait until it works again")
            return False
        else:
            self.delivered += 1
            if self._failing:
                self._failing = False
                self._notice(f"{self._sink.name}: works again")
        self._outbox.remove(number)
        return True

    def _pause(self, wait_s: float) -> None:
        """Wait, but no longer than `close` has patience for."""
        end_s = time.monotonic() + wait_s
        while (left_s := end_s - time.monotonic()) > 0:
            if self._until is not None:
                left_s = min(left_s, 0.2, self._until - time.monotonic())
                if left_s <= 0:
                    return
                time.sleep(left_s)
                return
            self._wake.wait(left_s)
            self._wake.clear()


def _line_of(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "") or type(error).__name__
