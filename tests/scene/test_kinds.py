"""Settings that name what is not there."""

from __future__ import annotations

import pytest

from crowdad.config import load_settings
from crowdad.errors import ConfigError, ModelFormatError
from crowdad.scene.encoders import ENCODERS
from crowdad.scene.fitting import fit_scene
from crowdad.scene.kinds import check_kinds, kinds_off
from crowdad.scene.model import SceneModel
from crowdad.scene.streams import KINDS, STREAMS
from crowdad.sources import ArraySource
from crowdad.tubes.patches import EXTRACTORS, Extractor
from crowdad.workflows.detect_options import DetectOptions
from tests.tiny_scene import model_of, scale_of, settings_of, walkers


@pytest.mark.parametrize(("setting", "known"), [("tubes.kind", EXTRACTORS), ("encoder.kind", ENCODERS)])
def test_an_unknown_kind_names_setting_value_and_all_that_are_known(setting, known, tmp_path):
    settings = settings_of(f"{setting}=boxes")
    for use in (
        lambda: check_kinds(settings),
        lambda: fit_scene([ArraySource(walkers(8), 10.0)], settings),
    ):
        with pytest.raises(ConfigError, match=rf"{setting} = 'boxes'") as caught:
            use()
        assert all(name in str(caught.value) for name in known)


def test_an_extractor_checks_its_kind():
    with pytest.raises(ConfigError, match=r"tubes\.kind = 'boxes'"):
        Extractor(scale_of(), settings_of("tubes.kind=boxes"))


@pytest.mark.parametrize("section", ["tubes", "encoder"])
def test_a_model_of_an_unknown_kind_is_one_line_that_names_the_file(section, tmp_path):
    scene = model_of()
    kind = getattr(scene.settings, section).model_copy(update={"kind": "boxes"})
    scene.settings = scene.settings.model_copy(update={section: kind})
    path = scene.save(tmp_path / "gate.safetensors")
    with pytest.raises(ModelFormatError, match=r"gate\.safetensors.*'boxes'") as caught:
        SceneModel.load(path)
    assert len(str(caught.value).splitlines()) == 1


def test_the_defaults_are_there():
    check_kinds(load_settings())


@pytest.mark.parametrize("setting", ["kinds", "not_kinds"])
def test_a_kind_of_event_that_no_stream_raises_names_all_that_are_known(setting):
    settings = settings_of(f'events.{setting}=["fast", "slow"]')
    for use in (
        lambda: check_kinds(settings),
        lambda: fit_scene([ArraySource(walkers(8), 10.0)], settings),
        lambda: DetectOptions(model_of(), settings).scene(),
    ):
        with pytest.raises(ConfigError, match="no event is of kind 'slow'") as caught:
            use()
        assert all(kind in str(caught.value) for kind in KINDS)


def test_kinds_that_are_wanted_and_not_wanted_leave_no_event():
    with pytest.raises(ConfigError, match="leave no event to tell"):
        check_kinds(settings_of('events.kinds=["fast"]', 'events.not_kinds=["fast"]'))


def test_kinds_that_no_stream_looks_for():
    assert kinds_off(STREAMS) == []
    without = kinds_off(["motion", "stays"])
    assert "glides" in without
    assert not {"fast", "moves unusually", "left behind"} & set(without)
