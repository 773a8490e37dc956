"""`SceneModel`: all that is needed to score one camera, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from crowdad.config import Settings
from crowdad.errors import ConfigError, ModelError, ModelFormatError, ModelVersionError
from crowdad.files import MB, check_size, parse_json, written_whole
from crowdad.records import Event, OpenEvent
from crowdad.scene.calibration import Calibration
from crowdad.scene.digests import digest_of
from crowdad.scene.kinds import check_kinds
from crowdad.scene.streams import STREAMS, Motion, Stream, Told
from crowdad.scene.view_arrays import check_activity, check_background
from crowdad.tubes.scale import SceneScale, check_cost

__all__ = ["FORMAT_VERSION", "SceneModel"]

FORMAT_VERSION = 3
_FORMAT = "crowdad-scene"
_HOW = ("one-class", "unlabelled", "self-fitted")
_VIEWS = ("activity", "background")

_MOST_BYTES = 256 * MB
_DAMAGE = (
    SafetensorError,
    OSError,
    KeyError,
    ValueError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
    MemoryError,
    ValidationError,
)


@dataclass(eq=False)
class SceneModel:
    """What is normal in one camera's footage: made by `fit`, kept in one safetensors file, used by `score`.

    Parameters
    ----------
    settings : Settings
        What it was fitted with.
    scale : SceneScale
        The scene's geometry: picture, people's height and speed, perspective.
    calibration : Calibration
        The tail of normal anomaly, which the threshold comes from.
    streams : dict of str to Stream
        What each kind of evidence has learned, by its name; those that the footage was too short for are missing.
    provenance : dict
        How, when and from what it was fitted.
    activity : float16 array of shape (rows, columns), at least 0, optional
        Mean number of tubes that ended in each cell of a grid over the picture, per step; None where it is not known.
    background : uint8 array of shape (h, w), optional
        The camera's view without people, see `viewpoint`; None where it is not known.

    Examples
    --------
    >>> scene = crowdad.SceneModel.load("gate3.safetensors")
    >>> scene.scale.size_hw
    (240, 360)
    """

    settings: Settings
    scale: SceneScale
    calibration: Calibration
    streams: dict[str, Stream]
    provenance: dict[str, Any] = field(default_factory=dict)
    activity: npt.NDArray[np.float16] | None = None
    background: npt.NDArray[np.uint8] | None = None

    def __repr__(self) -> str:
        (height, width), fps = self.scale.size_hw, self.scale.fps
        person_px = self.scale.person_px(width / 2, height / 2)
        return (
            f"SceneModel({self.provenance.get('how', 'not fitted')}, {width}x{height} at {fps:.3g} fps, "
            f"people {float(person_px):.0f} px tall, {len(self.motion.centres)} centres, "
            f"fitted on {self.provenance.get('frames', 0)} frames)"
        )

    @property
    def motion(self) -> Motion:
        """The stream that is always there."""
        motion = self.streams[Motion.name]
        assert isinstance(motion, Motion)
        return motion

    @property
    def calibrated(self) -> tuple[int, ...]:
        """Places in `streams` of those whose heat `calibration` was read from."""
        return tuple(place for place, stream in enumerate(self.streams.values()) if stream.calibrated)

    def told(self, event: Event | OpenEvent) -> Told:
        """What an event of footage of this scene is called, and what is unusual in it, as its stream tells it."""
        return list(self.streams.values())[event.stream].told(event, self.scale)

    def named(self, events: Iterable[Event]) -> list[Event]:
        """The events of kinds that the settings want, with their kinds and sentences, numbered from 1 without gaps."""
        named = (replace(event, **asdict(self.told(event))) for event in events)
        wanted = (event for event in named if self.settings.events.wants(event.kind))
        return [replace(event, event_id=number) for number, event in enumerate(wanted, start=1)]

    def with_stream(self, stream: Stream) -> SceneModel:
        """The scene with this stream in place of the one of its name."""
        return replace(self, streams={**self.streams, stream.name: stream})

    def fitted_to(self, size_hw: tuple[int, int], fps: float) -> SceneModel:
        """This scene for footage of another size or frame rate.

        Parameters
        ----------
        size_hw : tuple of int
            Height and width of the footage's pictures, in pixels.
        fps : float
            New pictures a second.

        Returns
        -------
        SceneModel
            Another one; this one stays as it is.

        Raises
        ------
        ModelError
            Where the pictures have another shape, or are too few to follow anybody.
        """
        own_h, own_w = self.scale.size_hw
        if abs(size_hw[1] / size_hw[0] * own_h / own_w - 1) > 0.03:
            raise ModelError(
                f"the model was fitted on {own_w}x{own_h} pictures, the footage has {size_hw[1]}x{size_hw[0]}: "
                "another shape is another camera; give this camera's model, or fit one: "
                "crowdad fit FOOTAGE -o camera.safetensors"
            )
        if fps < min(self.scale.least_fps, self.scale.fps):
            raise ModelError(
                f"the footage has {fps:.2g} new pictures a second, too few for this model to follow people who walk: "
                f"it takes {self.scale.least_fps:.1f} or more; give footage with more pictures a second"
            )
        scale = self.scale.fitted_to(size_hw, fps)
        check_cost(scale, self.settings)
        return replace(self, scale=scale)

    def without_pictures(self) -> SceneModel:
        """The scene without anything that shows people or the place; how they move is kept."""
        bare = {name: stream.without_pictures() for name, stream in self.streams.items()}
        return replace(self, streams={name: one for name, one in bare.items() if one is not None}, background=None)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file, whole or not at all.

        Parameters
        ----------
        path : path or str

        Returns
        -------
        Path

        Raises
        ------
        OutputError
            Where it cannot be written (OutputNotWritableError).

        Examples
        --------
        >>> scene.save("copy.safetensors").name
        'copy.safetensors'
        """
        path = Path(path)
        arrays = {
            f"{name}.{part}": np.asarray(array, order="C")
            for name, stream in self.streams.items()
            for part, array in stream.arrays().items()
        }
        views_of = {name: getattr(self, name) for name in _VIEWS}
        arrays |= {name: np.asarray(array, order="C") for name, array in views_of.items() if array is not None}
        header = {
            "format_version": FORMAT_VERSION,
            "streams": list(self.streams),
            "settings": self.settings.model_dump(mode="json"),
            "scale": self.scale.as_dict(),
            "calibration": self.calibration.as_dict(),
            "provenance": self.provenance,
        }
        header["digest"] = _digest(header, arrays)
        metadata = {_FORMAT: json.dumps(header)}  # safetensors shuffles its keys: one key, one file for one scene
        with written_whole(path, private=True, advice="give another -o for the model") as part:
            part.touch(mode=0o600)  # its thumbnails show people
            try:
                save_file(arrays, str(part), metadata)
            except SafetensorError as error:
                raise OSError(str(error)) from error
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneModel:
        """Read a model file.

        Parameters
        ----------
        path : path or str

        Returns
        -------
        SceneModel

        Raises
        ------
        ModelError
            For a missing file, one that is no whole scene model (ModelFormatError), and one of another version
            (ModelVersionError).
        """
        path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path}: no such model file; make one with: crowdad fit FOOTAGE -o {path.name}")
        try:
            check_size(path, _MOST_BYTES)
            with safe_open(str(path), framework="numpy") as file:
                header = _header(path, file.metadata() or {})
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            scene = _assemble(header, arrays)
            _check_digest(header, arrays)
            return scene
        except ModelError:
            raise
        except ConfigError as error:
            raise ModelFormatError(f"{path}: {error}; score with the crowdad that fitted it") from error
        except _DAMAGE as error:
            if not _is_safetensors(path):
                raise ModelFormatError(f"{path}: no crowdad scene model; give one that crowdad fit wrote") from error
            what = _what_is_wrong(error)
            raise ModelFormatError(
                f"{path}: not a whole crowdad scene model ({what}); fit it again with: crowdad fit"
            ) from error

    @staticmethod
    def sha256(path: str | os.PathLike[str]) -> str:
        """SHA-256 of a model file, hexadecimal."""
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()


def _is_safetensors(path: Path) -> bool:
    """Whether the file begins as one, whole or not: with the length of a header in JSON."""
    with suppress(OSError), path.open("rb") as file:
        return file.read(9)[8:] == b"{"
    return True


def _header(path: Path, metadata: dict[str, str]) -> dict[str, Any]:
    if _FORMAT not in metadata:
        raise ModelFormatError(f"{path}: a safetensors file, but no crowdad scene model; make one with: crowdad fit")
    header = parse_json(metadata[_FORMAT])
    if not isinstance(header, dict):
        raise ValueError(f"its header is {type(header).__name__}, an object is needed")
    version = header.get("format_version", "?")
    if version != FORMAT_VERSION:
        raise ModelVersionError(
            f"{path}: scene model of format {version}, this crowdad reads format {FORMAT_VERSION}; "
            "fit the scene again, or use the crowdad that wrote it"
        )
    return header


def _assemble(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> SceneModel:
    settings = Settings.model_validate(header["settings"])
    check_kinds(settings)
    names = header["streams"]
    if not isinstance(names, list) or Motion.name not in names or not set(names) <= STREAMS.keys():
        raise ValueError(f"its streams are {names}; {', '.join(STREAMS)} are known")
    parts: dict[str, dict[str, npt.NDArray[Any]]] = {name: {} for name in names}
    rest = {}
    for key, array in arrays.items():
        name, _, part = key.partition(".")
        if part:
            parts[name][part] = array
        else:
            rest[key] = array
    check_activity(rest.get("activity"))
    check_background(rest.get("background"))
    return SceneModel(
        settings=settings,
        scale=SceneScale.from_dict(header["scale"]),
        calibration=Calibration.from_dict(header["calibration"]),
        streams={name: STREAMS[name].restored(parts[name], settings) for name in names},
        provenance=_checked_provenance(header["provenance"]),
        **rest,
    )


def _digest(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over all that a model file holds, the digest itself left out, hexadecimal."""
    known = {name: value for name, value in header.items() if name != "digest"}
    return digest_of(arrays, json.dumps(known, sort_keys=True))


def _check_digest(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> None:
    """Raise ValueError where the content is not what was saved; files from before there was a digest pass."""
    if header.get("digest", "") not in ("", _digest(header, arrays)):
        raise ValueError("its content does not match its digest, a bit was flipped or something was replaced")


def _what_is_wrong(error: Exception) -> str:
    """The error in a few words of one line; the first fault where several were found."""
    if isinstance(error, ValidationError):
        first = error.errors()[0]
        return f"{error.title}: {'.'.join(map(str, first['loc']))}: {first['msg'].lower()}"
    return next(iter(str(error).splitlines()), type(error).__name__)[:200]


def _checked_provenance(provenance: Any) -> dict[str, Any]:
    """Raises ValueError where it is not what `info` and results.json tell of a model."""
    if len(json.dumps(provenance)) > MB:
        raise ValueError("its provenance is longer than a megabyte")
    if not isinstance(provenance, dict) or provenance.get("how") not in _HOW:
        raise ValueError(f"provenance does not say how it was fitted: one of {', '.join(_HOW)}")
    sources = provenance.get("sources", [])
    if not isinstance(sources, list) or not all(isinstance(name, str) for name in sources):
        raise ValueError("the sources in its provenance are no list of names")
    return provenance
