"""The digit settings and the two files that set them."""

from __future__ import annotations

from pathlib import Path

import pytest

from crowdad.errors import ConfigError, UnknownSettingError
from crowdad.evaluation.digits.settings import load_digit_settings

CONFIGS = Path(__file__).parents[3] / "configs"


@pytest.mark.parametrize("name", ["mnist", "usps"])
def test_the_published_files_load(name):
    settings = load_digit_settings(CONFIGS / f"{name}.toml")
    assert settings.dataset == name
    assert settings.clustering.conv_epochs == 200
    assert settings.clustering.dense_epochs == 100
    assert settings.clustering.restarts == 20
    assert settings.anomaly.clusters == 9


def test_an_override_wins_and_keeps_the_rest():
    settings = load_digit_settings(CONFIGS / "usps.toml", ["anomaly.contaminations=[0.0]", "learning.decay=cosine"])
    assert settings.anomaly.contaminations == (0.0,)
    assert settings.learning.decay == "cosine"
    assert settings.dataset == "usps"


def test_an_unknown_setting_names_the_nearest():
    with pytest.raises(UnknownSettingError, match=r"'clustering\.conv_epochs'"):
        load_digit_settings(None, ["clustering.conv_epoch=3"])


def test_a_value_out_of_range_names_the_setting():
    with pytest.raises(ConfigError, match=r"learning\.learning_rate"):
        load_digit_settings(None, ["learning.learning_rate=-1"])
