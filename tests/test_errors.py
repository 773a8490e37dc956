"""One tree of errors, all of it public."""

from __future__ import annotations

import inspect

import pytest

from crowdad import errors

CLASSES = [thing for _, thing in inspect.getmembers(errors, inspect.isclass)]

TREE = {
    errors.SourceError: {
        errors.SourceNotFoundError,
        errors.UnreadableSourceError,
        errors.NoVideoError,
        errors.TooShortError,
    },
    errors.FitError: {errors.TooLittleMotionError, errors.UnclearSizeError},
    errors.FleetError: set(),
    errors.ModelError: {
        errors.NotFittedError,
        errors.ModelFormatError,
        errors.ModelVersionError,
        errors.GraphFormatError,
        errors.GraphMismatchError,
    },
    errors.ConfigError: {errors.UnknownSettingError},
    errors.DataError: {errors.DatasetNotFoundError, errors.DownloadError, errors.UndefinedMetricError},
    errors.PageError: {errors.PageAddressError, errors.PageNotInstalledError},
    errors.StorageError: {errors.StorageNotFoundError, errors.StorageNotInstalledError},
    errors.OutputError: {errors.OutputExistsError, errors.OutputNotWritableError, errors.OutputNotReadableError},
}


def test_every_error_is_exported_once_in_order():
    assert errors.__all__ == sorted({cls.__name__ for cls in CLASSES})


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_is_one_of_ours_and_says_what_happened(cls):
    assert issubclass(cls, errors.CrowdadError)
    assert inspect.getdoc(cls)
    assert str(cls("clip.mp4: 5 frames")) == "clip.mp4: 5 frames"


def test_a_leaf_says_what_happened_and_its_middle_is_what_callers_catch():
    for middle, leaves in TREE.items():
        assert middle.__bases__ == (errors.CrowdadError,)
        for leaf in leaves:
            assert leaf.__bases__ == (middle,)
    named = {errors.CrowdadError, *TREE, *(leaf for leaves in TREE.values() for leaf in leaves)}
    assert set(CLASSES) == named
