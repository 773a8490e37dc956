"""One tree of errors, all of it public."""

from __future__ import annotations

import inspect

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
    functions = [name for name in errors.__all__ if name.islower()]
    assert errors.__all__ == [*sorted(cls.__name__ for cls in CLASSES), *sorted(functions)]


def test_every_error_is_one_of_ours_and_says_what_happened():
    for cls in CLASSES:
        assert issubclass(cls, errors.CrowdadError), cls
        assert inspect.getdoc(cls), cls
        assert str(cls("clip.mp4: 5 frames")) == "clip.mp4: 5 frames", cls


def test_a_leaf_says_what_happened_and_its_middle_is_what_callers_catch():
    for middle, leaves in TREE.items():
        assert middle.__bases__ == (errors.CrowdadError,)
        for leaf in leaves:
            assert leaf.__bases__ == (middle,)
    named = {errors.CrowdadError, *TREE, *(leaf for leaves in TREE.values() for leaf in leaves)}
    assert set(CLASSES) == named
