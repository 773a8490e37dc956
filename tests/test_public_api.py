"""The front door: what `import crowdad` promises."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import crowdad
from tests.conftest import TinyCamera


def test_every_name_is_there_and_documented() -> None:
    assert crowdad.__all__ == sorted(crowdad.__all__)
    for name in crowdad.__all__:
        value = getattr(crowdad, name)
        assert name == "__version__" or inspect.getdoc(value), name
        assert name in dir(crowdad)


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="detekt"):
        _ = crowdad.detekt


def test_importing_loads_nothing_heavy() -> None:
    code = (
        "import sys, crowdad; print(sorted(m for m in ('torch', 'cv2', 'av', 'sklearn', 'numpy') if m in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "[]"


def test_five_lines_fit_and_score_a_generator(tiny_camera: TinyCamera) -> None:
    pictures = [frame.luma for frame in crowdad.open_source(tiny_camera.normal, end_s=6).frames()]
    settings = tiny_camera.settings

    def frames() -> list[np.ndarray]:
        return pictures

    scene = crowdad.fit(frames, fps=10, settings=settings)
    scores = [result.anomaly for result in crowdad.score((picture for picture in pictures), scene, fps=10)]
    assert len(scores) == len(pictures)
    assert 0 <= min(scores) < max(scores) <= 1


def test_the_package_says_that_it_is_typed() -> None:
    assert (Path(crowdad.__file__).parent / "py.typed").is_file()
