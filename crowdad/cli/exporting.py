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
    form: Annotated[str, typer.Option("--format", metavar="onnx|openvino", help="What is to run it.")] = "onnx",
    output: Annotated[
        Path | None,
        output_option("File to write.  [the model's name, .onnx or .xml]"),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="8 bits where it saves time (onnx only); refused where it costs accuracy.")
    ] = False,
    overwrite: Overwrite = False,
    verbose: Verbose = 0,
    quiet: Quiet = False,
) -> int:
    """Write a model as one graph that scores without torch.

    \b
      crowdad export gate3.safetensors                      gate3.onnx, for ONNX Runtime
      crowdad export gate3.safetensors --format openvino    gate3.xml and gate3.bin

    Beside its model, detect --runtime onnx or openvino uses it.  It is checked against torch on a drawn crowd.
    """
    with Bars(quiet) as bars:
        from crowdad import workflows

        written = workflows.export(model, form=form, output=output, int8=int8, overwrite=overwrite, progress=bars)
    if not quiet:
        print(f"{written.path}: off torch by at most {written.difference:.1g} in normality, on {written.tubes} tubes")
        if written.auc is not None and written.auc_int8 is not None:
            loss = 100 * (written.auc - written.auc_int8)
            print(
                f"  frame AUC of a drawn crowd: {written.auc:.4f} in 32 bits, {written.auc_int8:.4f} in 8: "
                f"{loss:.2f} points lost"
            )
        if written.path == model.with_suffix(written.path.suffix):
            print(f"  next: crowdad detect FOOTAGE --model {model} --runtime {form}")
    return 0
