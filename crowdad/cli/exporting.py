"""`crowdad export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from crowdad.cli.options import Overwrite, Quiet, Verbose, output_option
from crowdad.cli.terminal import Bars

__all__ = ["export"]


def export(
    model: Annotated[Path, typer.Argument(help="Model made by crowdad fit.")],
    output: Annotated[Path | None, output_option("File to write.  [the model's name, .onnx]")] = None,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Write a model as one ONNX graph, from tubes to their normality, for programs of your own.

    \b
      crowdad export gate3.safetensors      gate3.onnx

    It is checked against torch.  detect needs no such file: it makes the graph from the model itself.
    """
    with Bars(quiet) as bars:
        from crowdad import workflows

        written = workflows.export(model, output=output, overwrite=overwrite, progress=bars)
    if not quiet:
        print(f"{written.path}: off torch by at most {written.difference:.1g} in normality, on {written.tubes} tubes")
    return 0
