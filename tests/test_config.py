"""Settings: defaults, files, overrides, and messages that name the setting."""

from __future__ import annotations

import json

import pytest
from pydantic import BaseModel

from crowdad.config import Settings, load_settings, read_settings
from crowdad.errors import ConfigError, UnknownSettingError


def leaves(model: BaseModel, prefix: str = ""):
    for name, field in type(model).model_fields.items():
        value = getattr(model, name)
        if isinstance(value, BaseModel):
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field, value


ALL = list(leaves(Settings()))


def test_nothing_given_is_the_defaults():
    assert load_settings() == Settings()


def test_every_setting_is_described_and_can_be_set_to_its_own_default():
    assert len(ALL) > 40
    for key, field, value in ALL:
        assert field.description, key
        written = json.dumps(value) if isinstance(value, bool | tuple) else value
        assert load_settings(overrides=[f"{key}={written}"]) == Settings(), key


def test_a_file_wins_over_the_defaults_and_an_override_over_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text('seed = 3\n[tubes]\nkind = "grid"\nsteps = 4\n', encoding="utf-8")
    settings = load_settings(path, ["tubes.steps=7", "encoder.learning_rate=1e-4", "heatmap.vote=false"])
    assert (settings.seed, settings.tubes.kind, settings.tubes.steps) == (3, "grid", 7)
    assert settings.encoder.learning_rate == 1e-4
    assert settings.heatmap.vote is False
    assert settings.tubes.rows == Settings().tubes.rows


def test_an_override_takes_a_word_with_or_without_quotes_and_the_last_one_counts():
    assert load_settings(overrides=["tubes.kind=grid"]).tubes.kind == "grid"
    assert load_settings(overrides=['tubes.kind="grid"']).tubes.kind == "grid"
    assert load_settings(overrides=[" seed = 1 ", "seed=2"]).seed == 2


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("tubes.step", "tubes.steps"), ("sed", "seed"), ("encoder.epoch", "encoder.epochs"), ("tubes", "tubes.")],
)
def test_an_unknown_setting_names_the_nearest(key, nearest):
    with pytest.raises(UnknownSettingError, match=f"{key!r}; .*'{nearest}"):
        load_settings(overrides=[f"{key}=4"])


def test_an_unknown_setting_of_a_file_names_the_nearest(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[motion]\nmovin = 0.2\n", encoding="utf-8")
    with pytest.raises(UnknownSettingError, match=r"'motion\.movin'; .*'motion\.moving'"):
        load_settings(path)


@pytest.mark.parametrize(
    ("override", "told"),
    [
        ("encoder.epochs=0", r"encoder\.epochs = 0: .* 1"),
        ("encoder.epochs=many", r"setting encoder\.epochs = 'many': .*integer"),
        ("calibration.held_out=1", r"calibration\.held_out = 1: .* 1"),
        ("scale.person_px=nan", r"setting scale\.person_px = nan"),
        ("motion.moving=inf", r"setting motion\.moving = inf"),
        ("seed", r"--set seed: no '=' found; write --set section\.key=value"),
    ],
)
def test_a_wrong_value_names_setting_value_and_range(override, told):
    with pytest.raises(ConfigError, match=told) as caught:
        load_settings(overrides=[override])
    assert "\n" not in str(caught.value)


def test_a_temporal_kernel_of_even_length_is_a_wrong_value():
    with pytest.raises(ConfigError, match=r"encoder\.temporal_kernel = 2"):
        load_settings(overrides=["encoder.temporal_kernel=2"])


def test_files_that_are_missing_or_no_toml_are_one_line(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read"):
        load_settings(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("seed = = 3", encoding="utf-8")
    with pytest.raises(ConfigError, match="TOML"):
        load_settings(tmp_path / "bad.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="TOML"):
        load_settings(tmp_path / "bytes.toml")


def test_base_settings_stay_where_nothing_is_given():
    base = load_settings(overrides=["tubes.steps=3"])
    assert read_settings(None, ["seed=5"], base) == load_settings(overrides=["tubes.steps=3", "seed=5"])


def test_settings_are_frozen_and_survive_json():
    settings = load_settings(overrides=["tubes.kind=grid", "heatmap.cell=0.3"])
    assert Settings.model_validate_json(settings.model_dump_json()) == settings
    with pytest.raises(ValueError, match="frozen"):
        settings.tubes.steps = 3  # type: ignore[misc]


def test_kinds_of_events_are_wanted_unless_others_are_or_they_are_not():
    chosen = load_settings(overrides=['events.kinds=["fast", "glides"]', 'events.not_kinds=["glides"]']).events
    assert [chosen.wants(kind) for kind in ("fast", "glides", "against the stream")] == [True, False, False]
    assert Settings().events.wants("fast")
    without = load_settings(overrides=['events.not_kinds=["fast"]']).events
    assert [without.wants(kind) for kind in ("fast", "glides")] == [False, True]
