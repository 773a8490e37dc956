"""Events that a person ticked as false alarms, as the page saves them and `crowdad fit --also-normal` reads them."""

from __future__ import annotations

import os
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from crowdad.errors import OutputNotReadableError
from crowdad.files import MB, read_bytes

__all__ = ["FALSE_ALARMS_FORMAT", "FALSE_ALARMS_VERSION", "FalseAlarms", "FalseSpan", "read_false_alarms"]

LONGEST_S = 1e9
"""30 years."""

FALSE_ALARMS_FORMAT: Literal["crowdad-false-alarms"] = "crowdad-false-alarms"
FALSE_ALARMS_VERSION: Literal[1] = 1


Finite = Annotated[float, Field(allow_inf_nan=False)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FalseSource(_Part):
    """The footage as the run was given it.  stride, fps: how the run read it."""

    name: str
    sha256: str | None
    stride: int = Field(ge=1, le=10**9)
    fps: float | None = Field(gt=0, le=1e6)


class FalseSpan(_Part):
    """One ticked event.  boxes: rows of (time in s, x0, y0, x1, y1), pixels of the displayed picture, rising times."""

    event: int
    start_s: float = Field(ge=0, le=LONGEST_S)
    end_s: float = Field(gt=0, le=LONGEST_S)
    boxes: list[tuple[Finite, Finite, Finite, Finite, Finite]] = Field(min_length=1)


class FalseAlarms(_Part):
    """All ticked events of one run."""

    format: Literal["crowdad-false-alarms"]
    version: Literal[1]
    source: FalseSource
    spans: list[FalseSpan] = Field(min_length=1)


def read_false_alarms(path: str | os.PathLike[str]) -> FalseAlarms:
    """Read what the page saved; raises OutputNotReadableError with one line for anything else."""
    try:
        return FalseAlarms.model_validate_json(read_bytes(path, 64 * MB))
    except OSError as error:
        raise OutputNotReadableError(
            f"{path}: cannot be read ({error.strerror}); give a file saved by the report page of a run"
        ) from error
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "file"
        raise OutputNotReadableError(
            f"{path}: {where}: {first['msg'].lower()}; give a file saved by the report page of a run"
        ) from error
