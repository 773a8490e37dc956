"""Every committed file of settings loads, and says what it means to say."""

from __future__ import annotations

import tomllib
from pathlib import Path

from crowdad.config import Settings, load_settings
from crowdad.evaluation.digits.settings import load_digit_settings

CONFIGS = sorted((Path(__file__).parents[1] / "configs").glob("*.toml"))
DIGITS = ("mnist", "usps")


def test_there_are_configs() -> None:
    assert {path.stem for path in CONFIGS} >= {"camera", "mnist", "ped2", "usps"}


def test_every_config_loads() -> None:
    for path in CONFIGS:
        if path.stem in DIGITS:
            assert load_digit_settings(path).dataset == path.stem
        else:
            assert isinstance(load_settings(path), Settings), path


def test_the_published_numbers_have_every_setting_written_down() -> None:
    written = tomllib.loads((CONFIGS[0].parent / "ped2.toml").read_text(encoding="utf-8"))
    defaults = Settings().model_dump()
    assert set(written) == set(defaults)
    for section, values in defaults.items():
        if isinstance(values, dict):
            assert set(written[section]) == set(values), section


def test_a_camera_of_ones_own_starts_from_the_defaults() -> None:
    assert load_settings(CONFIGS[0].parent / "camera.toml") == Settings()
