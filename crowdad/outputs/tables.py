"""frames.csv: one row for every frame of the footage, readable while it is still being written."""

from __future__ import annotations

import csv
import os
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from crowdad.errors import OutputError, OutputNotReadableError
from crowdad.files import KB, MB, text_lines
from crowdad.records import FrameResult

if TYPE_CHECKING:
    import pandas

__all__ = ["COLUMNS", "FRAME_COLUMNS", "Column", "FrameLog", "FrameTable", "FramesCsv", "read_frames_csv"]

_MOST_BYTES, _MOST_IN_LINE = 4096 * MB, 4 * KB
_LARGEST = 2.0**53


class Column(NamedTuple):
    """A column of frames.csv.

    name: in the file and in `FrameTable`.  of: the field of `FrameResult` it tells.  dtype: in a `FrameTable`.
    kept: type code of `array` for it while a run goes on.
    """

    name: str
    of: str
    dtype: type[np.generic]
    kept: str

    def text(self, result: FrameResult) -> str:
        """As it stands in the file."""
        value = getattr(result, self.of)
        return f"{value:.6f}" if self.dtype is np.float64 else str(int(value))


COLUMNS = (
    Column("frame", "index", np.int64, "q"),
    Column("time_s", "time_s", np.float64, "d"),
    Column("normality", "normality", np.float64, "f"),
    Column("anomaly", "anomaly", np.float64, "f"),
    Column("flagged", "flagged", np.bool_, "b"),
    Column("warm_up", "warm_up", np.bool_, "b"),
    Column("n_tubes", "n_tubes", np.int64, "l"),
)
"""All that is told of a frame, in order; the fields of `FrameTable` are these."""

FRAME_COLUMNS = tuple(column.name for column in COLUMNS)


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


class FrameLog:
    """The columns of frames.csv while a run goes on, 34 bytes a frame."""

    def __init__(self) -> None:
        self._columns: list[array[Any]] = [array(column.kept) for column in COLUMNS]

    def add(self, result: FrameResult) -> None:
        """Append one frame."""
        for column, kept in zip(COLUMNS, self._columns, strict=True):
            kept.append(getattr(result, column.of))

    def table(self) -> FrameTable:
        """All frames so far."""
        return FrameTable(
            *(np.asarray(kept).astype(column.dtype) for column, kept in zip(COLUMNS, self._columns, strict=True))
        )


class FramesCsv:
    """Writes frames.csv; every row reaches the file at once, so that a run can be followed."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        # Line-buffered: a row is either there or not, also after the process was killed.
        self._file = open(path, "w", newline="", encoding="utf-8", buffering=1)  # noqa: SIM115
        self._rows = csv.writer(self._file, lineterminator="\n")
        self._rows.writerow(FRAME_COLUMNS)

    def write(self, result: FrameResult) -> None:
        """Append one frame."""
        self._rows.writerow([column.text(result) for column in COLUMNS])

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
    return FrameTable(*(cells[:, place].astype(column.dtype) for place, column in enumerate(COLUMNS)))


def _cells(lines: Iterator[str]) -> npt.NDArray[np.float64]:
    """float64 (N, columns).  Raises ValueError for a row of another length or of anything but numbers."""
    numbers, count = array("d"), 0
    for count, line in enumerate(lines, start=1):
        row = line.split(",")
        if len(row) != len(FRAME_COLUMNS):
            raise ValueError(f"row {count} has {len(row)} columns")
        numbers.extend(map(float, row))
    return np.asarray(numbers, np.float64).reshape(count, len(FRAME_COLUMNS))
