"""A quick scene for all generated clips."""

import pytest

from crowdad.synthetic import (
    Camera,
    SceneConfig,
    Stream,
)


@pytest.fixture(scope="session")
def small_scene() -> SceneConfig:
    """A quick scene: 160x240, a few people, one anomaly."""
    camera = Camera((160, 240), 7.0, 32.0, 280.0)
    return SceneConfig("small", camera, 10.0, 6.0, 6, 0, (Stream(0, 20), Stream(180, 20)), ("runner",), 0.4)
