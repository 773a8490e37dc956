"""`SceneModel`: all that is needed to score one camera, in one safetensors file."""

from __future__ import annotations

import hashlib
import json
import math
import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from crowdad.config import Settings
from crowdad.errors import ConfigError, ModelError, ModelFormatError, ModelVersionError, OutputNotWritableError
from crowdad.files import MB, check_size, parse_json
from crowdad.scene.arrays import check_arrays
from crowdad.scene.calibration import Calibration
from crowdad.scene.encoders import encoder_kind
from crowdad.scene.heatmap import CellGrid, Voter
from crowdad.scene.kinds import check_kinds
from crowdad.tubes.scale import SceneScale, check_cost, views

__all__ = ["FORMAT_VERSION", "SceneModel"]

FORMAT_VERSION = 2
_FORMAT = "crowdad-scene"
_CHUNK = 128  # tubes encoded at once; from 256 on each takes twice as long, as memory is asked for anew
_HOW = ("one-class", "unlabelled", "self-fitted")
_ARRAYS = ("centres", "shares", "mean", "spread", "tube_normality", "thumbnails")
_LATER_ARRAYS = ("motions", "activity", "background")  # files from before they were kept lack them

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

Array = npt.NDArray[np.float32]


@dataclass(eq=False)
class SceneModel:
    """One camera's normality.

    settings: what it was fitted with.  scale: the scene's geometry.  calibration: tail of normal anomaly.
    weights: the encoder's state, name -> array.  centres: float32 (K, D), unit rows.  shares: float32 (K,), the share
    of tubes nearest to each centre.  mean, spread: float32 (C, 1, rows, 1), standardisation of tube features.
    tube_normality: float32 (101,), percentiles of the normality of tubes that were held out.
    thumbnails: uint8 (K, h, w), the most typical subject of each centre.  motions: uint8 (K, T, rows, columns), how it
    moves, see `patches.motion_of`; None in files from before it was kept.  activity: float16 (rows, columns) >= 0, mean
    number of tubes that ended in each cell of a grid over the picture, per step; None as with motions.
    background: uint8 (h, w), the camera's view without people, see `viewpoint`; None as with motions.
    provenance: how, when and from what it was fitted.
    """

    settings: Settings
    scale: SceneScale
    calibration: Calibration
    weights: dict[str, npt.NDArray[Any]]
    centres: Array
    shares: Array
    mean: Array
    spread: Array
    tube_normality: Array
    thumbnails: npt.NDArray[np.uint8]
    provenance: dict[str, Any] = field(default_factory=dict)
    motions: npt.NDArray[np.uint8] | None = None
    activity: npt.NDArray[np.float16] | None = None
    background: npt.NDArray[np.uint8] | None = None

    def __post_init__(self) -> None:
        self._encoder: Any = None
        self._device = "cpu"

    @property
    def device(self) -> str:
        """ "cpu" or "cuda": where torch scores."""
        return self._device

    def to(self, device: str) -> SceneModel:
        """Score on "cpu" or "cuda" from now on; returns self."""
        self._device = device
        self._encoder = None
        return self

    def codes(self, features: Array) -> Array:
        """Unit codes float32 (N, D) of tube features float32 (N, C, T, rows, columns)."""
        import torch

        if self._encoder is None:
            self._encoder = encoder_kind(self.settings.encoder).make(self.settings.encoder, self.settings.tubes)
            try:
                self._encoder.load_state_dict({name: torch.as_tensor(array) for name, array in self.weights.items()})
            except RuntimeError as error:
                raise ModelFormatError(
                    "the model's encoder does not fit its own settings; fit the scene again with: crowdad fit"
                ) from error
            self._encoder.eval().to(self._device)
        parts = []
        with torch.inference_mode():
            for start in range(0, max(len(features), 1), _CHUNK):
                chunk = torch.from_numpy((features[start : start + _CHUNK] - self.mean) / self.spread)
                # One shape for all: a kernel is prepared and kept for every shape that comes along.
                padded = torch.nn.functional.pad(chunk, (0, 0) * (chunk.ndim - 1) + (0, _CHUNK - len(chunk)))
                codes = self._encoder.encode(padded.to(self._device))[: len(chunk)].float()
                if self.settings.encoder.code_norm != "l2":  # normality is a cosine, whatever the code was learnt with
                    codes = torch.nn.functional.normalize(codes, dim=1)
                parts.append(codes.cpu().numpy())
        return np.concatenate(parts)

    def normality(self, features: Array) -> Array:
        """Normality of tubes: float32 (N,) in [-1, 1], higher = normal, from features (N, C, T, rows, columns)."""
        from crowdad.scene.normality import normality

        if not len(features):
            return np.zeros(0, np.float32)
        import torch

        # The next tubes are found meanwhile: two threads here would take turns with that, and spin while they wait.
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            with _blas().limit(limits=1, user_api="blas"):
                return normality(self.codes(features), self.centres)
        finally:
            torch.set_num_threads(threads)

    def fitted_to(self, size_hw: tuple[int, int], fps: float) -> SceneModel:
        """This scene for footage of another size or frame rate.

        Raises ModelError where the shape differs, or where the pictures are too few to follow anybody.
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
        return replace(self, scale=scale).to(self._device)

    def voter(self, lag: int | None = None) -> Voter:
        """A fresh voter with one grid of cells per view, a cell being `heatmap.cell` person heights wide.

        lag: steps by which its maps come late; default: once all their votes are in.
        """
        grids = []
        for view in views(self.scale, self.settings.scale):
            cell_px = self.settings.heatmap.cell * view.person_px / view.zoom_xy[1]
            rows = math.ceil((view.seen[1] - view.seen[0]) / cell_px)
            grids.append(CellGrid(view.seen[0], cell_px, (rows, math.ceil(self.scale.size_hw[1] / cell_px))))
        return Voter(grids, self.scale.size_hw, self.settings.tubes.steps, self.settings.heatmap, lag)

    def without_pictures(self) -> SceneModel:
        """The scene without anything that shows people or the place; how they move is kept."""
        blank = np.zeros((len(self.centres), 1, 1), np.uint8)
        return replace(self, thumbnails=blank, background=None).to(self._device)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write one safetensors file, whole or not at all."""
        path = Path(path)
        arrays = {f"encoder.{name}": np.asarray(array, order="C") for name, array in self.weights.items()}
        arrays |= {name: np.asarray(getattr(self, name), order="C") for name in _ARRAYS}
        later = {name: getattr(self, name) for name in _LATER_ARRAYS}
        arrays |= {name: np.asarray(array, order="C") for name, array in later.items() if array is not None}
        header = {
            "format_version": FORMAT_VERSION,
            "settings": self.settings.model_dump(mode="json"),
            "scale": self.scale.as_dict(),
            "calibration": self.calibration.as_dict(),
            "provenance": self.provenance,
        }
        header["digest"] = _digest(header, arrays)
        metadata = {_FORMAT: json.dumps(header)}  # safetensors shuffles its keys: one key, one file for one scene
        part = path.with_name(path.name + ".part")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            part.touch(mode=0o600)
            save_file(arrays, str(part), metadata)
            part.chmod(0o600)  # its thumbnails show people
            os.replace(part, path)
        except (OSError, SafetensorError) as error:
            with suppress(OSError):
                part.unlink(missing_ok=True)
            raise OutputNotWritableError(f"{path}: the model cannot be written ({error}); give another -o") from error
        return path

    @staticmethod
    def load(path: str | os.PathLike[str]) -> SceneModel:
        """Read a model file; raises ModelFormatError or ModelVersionError with one line for anything else."""
        path = Path(path)
        if not path.is_file():
            raise ModelError(f"{path}: no such model file; make one with: crowdad fit FOOTAGE -o {path.name}")
        try:
            check_size(path, _MOST_BYTES)
            with safe_open(str(path), framework="numpy") as file:
                header = _header(path, file.metadata() or {})
                arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            scene = _assemble(header, arrays)
            check_kinds(scene.settings)
            check_arrays(scene)
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


@cache
def _blas() -> Any:
    """The threads of the libraries that multiply NumPy's matrices, as they are now."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


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
    weights = {name.removeprefix("encoder."): array for name, array in arrays.items() if name.startswith("encoder.")}
    rest = {name: array for name, array in arrays.items() if not name.startswith("encoder.")}
    return SceneModel(
        settings=Settings.model_validate(header["settings"]),
        scale=SceneScale.from_dict(header["scale"]),
        calibration=Calibration.from_dict(header["calibration"]),
        weights=weights,
        provenance=_checked_provenance(header["provenance"]),
        **rest,
    )


def _digest(header: dict[str, Any], arrays: dict[str, npt.NDArray[Any]]) -> str:
    """SHA-256 over all that a model file holds, the digest itself left out, hexadecimal."""
    whole = hashlib.sha256()
    known = {name: value for name, value in header.items() if name != "digest"}
    whole.update(json.dumps(known, sort_keys=True).encode())
    for name, array in sorted(arrays.items()):
        whole.update(f"{name} {array.dtype} {array.shape}".encode())
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()


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
