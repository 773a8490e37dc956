"""Texts that pages are made of: style, scripts, templates.  The live page shares the report's."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from importlib.resources import files

import jinja2

__all__ = ["asset", "template"]

_ASSETS = files("crowdad.outputs.report") / "assets"


@cache
def asset(name: str) -> str:
    """The text of one of the report's assets."""
    return (_ASSETS / name).read_text(encoding="utf-8")


@cache
def template(load: Callable[[str], str], name: str) -> jinja2.Template:
    """The template of this name, whose values are escaped; `load` gives the text of a name."""
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(load), autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True
    )
    environment.policies["json.dumps_kwargs"] = {"separators": (",", ":"), "ensure_ascii": False, "allow_nan": False}
    return environment.get_template(name)
