"""The installed version, where every room can ask for it."""

from importlib.metadata import PackageNotFoundError, version

__all__ = ["__version__"]

try:
    __version__ = version("crowdad")
except PackageNotFoundError:  # run from a checkout that was never installed
    __version__ = "0+unknown"
