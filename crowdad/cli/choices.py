"""What can be chosen on the command line, from the registries, which are loaded for help and for a check alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from typing import Any

import typer

from crowdad.cli.grouped_help import GroupedCommand

__all__ = ["CHOICES", "ListingCommand", "check_choice"]


def _datasets() -> Iterable[str]:
    from crowdad.evaluation.datasets.catalogue import dataset_names

    return dataset_names()


def _variants() -> Iterable[str]:
    from crowdad.evaluation.datasets.variants import VARIANTS

    return VARIANTS


def _runtimes() -> Iterable[str]:
    from crowdad.scene.runtimes import RUNTIMES

    return ("auto", "torch", *RUNTIMES)


def _sinks() -> Iterable[str]:
    from crowdad.outputs.alerts import SINKS

    return SINKS


CHOICES: dict[str, Callable[[], Iterable[str]]] = {
    "datasets": _datasets,
    "variants": _variants,
    "runtimes": _runtimes,
    "sinks": _sinks,
}
"""What stands in braces in the help of an option -> the names in its place."""


class ListingCommand(GroupedCommand):
    """A command with headings that names in its help what the registries hold by then."""

    def told_params(self, ctx: Any) -> list[Any]:
        """The command's own, with the names in place of what stands in braces."""
        return [_listed(param) for param in super().told_params(ctx)]


def _listed(param: Any) -> Any:
    text = getattr(param, "help", None) or ""
    wanted = [what for what in CHOICES if f"{{{what}}}" in text]
    if wanted:
        param = copy(param)
        param.help = text.format_map({what: ", ".join(CHOICES[what]()) for what in wanted})
    return param


def check_choice(what: str, given: str, option: str) -> None:
    """Raise typer.BadParameter where `given` is none of the choices, as it is done for choices that never change."""
    known = list(CHOICES[what]())
    if given not in known:
        raise typer.BadParameter(f"{given!r} is not one of {', '.join(map(repr, known))}.", param_hint=f"'{option}'")
