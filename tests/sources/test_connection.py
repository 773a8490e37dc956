"""What a connection that cannot be made comes down to."""

from __future__ import annotations

import errno
import traceback

import av
import pytest

from crowdad.errors import UnreadableSourceError
from crowdad.sources import _connection
from crowdad.sources._address import address_of
from crowdad.sources._connection import Connection, LostError, StreamLimits
from crowdad.sources._report import Tally

SPEC = "rtsp://me:s3cret@camera/1"
LIMITS = StreamLimits(max_pixels=10_000, open_timeout_s=3, read_timeout_s=3, stall_s=6)


def failing(monkeypatch: pytest.MonkeyPatch, error: av.FFmpegError) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(_connection.av, "open", fail)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (av.error.ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused", SPEC), "connection refused"),
        (av.error.ExitError(av.error.tag_to_code(b"EXIT"), "Immediate exit requested", SPEC), "no answer within 3 s"),
        (av.error.TimeoutError(errno.ETIMEDOUT, "Connection timed out", SPEC), "no answer within 3 s"),
        (av.error.OSError(errno.EIO, "Input/output error", SPEC), "its host is not known, or breaks off"),
        (av.error.InvalidDataError(av.error.tag_to_code(b"INDA"), "Invalid data found", SPEC), "invalid data found"),
    ],
)
def test_what_may_get_better_is_a_loss(error: av.FFmpegError, reason: str, monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, error)
    with pytest.raises(LostError) as caught:
        Connection(address_of(SPEC), Tally(), LIMITS, None)
    assert caught.value.reason == reason
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (av.error.HTTPUnauthorizedError, "the login is refused (401)"),
        (av.error.HTTPForbiddenError, "access is forbidden (403)"),
        (av.error.HTTPNotFoundError, "there is no such stream (404)"),
        (av.error.PermissionError, "permission denied"),
    ],
)
def test_what_cannot_get_better_is_refused(
    kind: type[av.FFmpegError], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, kind(errno.EACCES, "something", SPEC))
    with pytest.raises(UnreadableSourceError) as caught:
        Connection(address_of(SPEC), Tally(), LIMITS, None)
    assert str(caught.value).startswith("rtsp://camera: ")
    assert words in str(caught.value)
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))
