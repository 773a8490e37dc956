"""frames.csv: one row for every frame of the footage, readable while it is still being written."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from crowdad.errors import OutputError, OutputNotReadableError
from crowdad.files import KB, MB, text_lines
from crowdad.records import FrameResult

if TYPE_CHECKING:
    import pandas

__all__ = ["FRAME_COLUMNS", "FrameTable", "FramesCsv", "read_frames_csv"]

_MOST_BYTES, _MOST_IN_LINE = 4096 * MB, 4 * KB
_LARGEST = 2.0**53

FRAME_COLUMNS = ("frame", "time_s", "normality", "anomaly", "flagged", "warm_up", "n_tubes")


@dataclass(frozen=True, eq=False)
class FrameTable:
    """The columns of frames.csv, one entry a frame.

    Parameters
    ----------
    frame : int64 array of shape (N,)
        Places in the footage, counted from 0.
    time_s : float64 array of shape (N,)
        Seconds since the footage's first frame.
    normality : float64 array of shape (N,), in [-1, 1]
        Higher = normal.
    anomaly : float64 array of shape (N,), in [0, 1]
        Higher = abnormal, 0.5 at the threshold.
    flagged, warm_up : bool array of shape (N,)
        At or above the threshold; scored before a full window was there.
    n_tubes : int64 array of shape (N,)
        Tubes that voted.
    """

    frame: npt.NDArray[np.int64]
    time_s: npt.NDArray[np.float64]
    normality: npt.NDArray[np.float64]
    anomaly: npt.NDArray[np.float64]
    flagged: npt.NDArray[np.bool_]
    warm_up: npt.NDArray[np.bool_]
    n_tubes: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.frame)

    def __repr__(self) -> str:
        if not len(self):
            return "FrameTable(no frames)"
        return (
            f"FrameTable({len(self)} frames, {self.time_s[0]:.3f} to {self.time_s[-1]:.3f} s, "
            f"{np.count_nonzero(self.flagged)} flagged, anomaly up to {self.anomaly.max():.2f})"
        )

    def to_pandas(self) -> pandas.DataFrame:
        """The table as a DataFrame of pandas, which must be installed.

        Returns
        -------
        pandas.DataFrame
            One row a frame, its columns those of frames.csv.

        Raises
        ------
        OutputError
            Where pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise OutputError("pandas is not installed; pip install pandas") from None
        return pandas.DataFrame({name: getattr(self, name) for name in FRAME_COLUMNS})


class FramesCsv:
    """Writes frames.csv; every row reaches the file at once, so that a run can be followed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Line-buffered: a row is either there or not, also after the process was killed.
        self._file = open(path, "w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(FRAME_COLUMNS)

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        self._rows.writerow(
            (
                result.index,
                f"{result.time_s:.6f}",
                f"{result.normality:.6f}",
                f"{result.anomaly:.6f}",
                int(result.flagged),
                int(result.warm_up),
                result.n_tubes,
            )
        )

    def close(self) -> None:
        """Close the file; a second call does nothing."""
        self._file.close()

    def __enter__(self) -> FramesCsv:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def read_frames_csv(path: str | os.PathLike[str]) -> FrameTable:
    """Read frames.csv of a run back; a last row that was cut short is left out.

    Parameters
    ----------
    path : path or str

    Returns
    -------
    FrameTable

    Raises
    ------
    OutputError
        For a missing file, other columns, or a row that is not numbers (OutputNotReadableError).

    Examples
    --------
    >>> table = crowdad.read_frames_csv("runs/monday/frames.csv")
    >>> len(table)
    120
    """
    refused = f"{path}: holds a row that is not numbers; run crowdad detect again"
    try:
        lines = text_lines(path, _MOST_BYTES, _MOST_IN_LINE)
        if tuple(next(lines, "").split(",")) != FRAME_COLUMNS:
            raise OutputNotReadableError(
                f"{path}: the columns are not {','.join(FRAME_COLUMNS)}; run crowdad detect again"
            )
        cells = _cells(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise OutputNotReadableError(f"{path}: no frames.csv of a run can be read here; run crowdad detect") from error
    except ValueError as error:
        raise OutputNotReadableError(refused) from error
    if not (np.isfinite(cells).all() and (np.abs(cells) < _LARGEST).all()):
        raise OutputNotReadableError(refused)
    return FrameTable(
        frame=cells[:, 0].astype(np.int64),
        time_s=cells[:, 1],
        normality=cells[:, 2],
        anomaly=cells[:, 3],
        flagged=cells[:, 4] != 0,
        warm_up=cells[:, 5] != 0,
        n_tubes=cells[:, 6].astype(np.int64),
    )


def _cells(lines: Iterator[str]) -> npt.NDArray[np.float64]:
    """float64 (N, columns).  Raises ValueError for a row of another length or of anything but numbers."""
    numbers, count = array("d"), 0
    for count, line in enumerate(lines, start=1):
        row = line.split(",")
        if len(row) != len(FRAME_COLUMNS):
            raise ValueError(f"row {count} has {len(row)} columns")
        numbers.extend(map(float, row))
    return np.asarray(numbers, np.float64).reshape(count, len(FRAME_COLUMNS))
