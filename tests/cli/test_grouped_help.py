"""`--help` finds an option under its heading."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from crowdad.cli import main
from crowdad.cli.choices import CHOICES

HEADINGS = ["Arguments", "Input", "Output", "Alarm level", "Speed", "Advanced", "Options"]


def groups(verb: str, capsys: pytest.CaptureFixture[str]) -> dict[str, list[str]]:
    """Heading -> the long names of its options, in the order in which they are shown."""
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    found: dict[str, list[str]] = {}
    for line in capsys.readouterr().out.splitlines():
        if re.fullmatch(r"[A-Z][a-z ]+:", line):
            found[line.rstrip(":")] = options = []
        elif found and (name := re.match(r"  (?:-\w, )?(--[\w-]+)", line)):
            options.append(name[1])
    return found


def test_options_of_detect_stand_under_headings(capsys: pytest.CaptureFixture[str]) -> None:
    found = groups("detect", capsys)
    assert list(found) == HEADINGS
    assert {"--model", "--start", "--fps", "--roi"} <= set(found["Input"])
    assert {"--output", "--no-report", "--overwrite"} <= set(found["Output"])
    assert found["Alarm level"] == ["--threshold", "--false-alarms-per-hour", "--sensitivity", "--kinds", "--not-kinds"]
    assert found["Speed"] == ["--device", "--runtime", "--jobs", "--ray"]
    assert found["Advanced"] == ["--config", "--set", "--seed", "--patches"]
    assert found["Options"] == ["--help"], "whatever is added says where it belongs"


def test_watch_has_headings_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    found = groups("watch", capsys)
    assert list(found) == [*HEADINGS[:4], "Alerts", "Live page", *HEADINGS[4:]]
    assert found["Live page"] == ["--page", "--page-token"]


@pytest.mark.parametrize("verb", ["fit", "overlay", "info", "benchmark", "export"])
def test_no_option_is_lost(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    import typer

    from crowdad.cli.main import app

    command = typer.main.get_command(app).commands[verb]  # type: ignore[attr-defined]
    declared = {option for parameter in command.params for option in parameter.opts if option.startswith("--")}
    assert declared <= {option for options in groups(verb, capsys).values() for option in options}


def test_registries_are_loaded_for_help_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The first line of a command comes before anything heavy is imported."""

    def loaded() -> list[str]:
        raise AssertionError("a registry was loaded")

    for what in CHOICES:
        monkeypatch.setitem(CHOICES, what, loaded)
    with pytest.raises(SystemExit) as leaving:
        main(["detect", str(tmp_path / "missing.mp4")])
    assert leaving.value.code == 1
    with pytest.raises(AssertionError, match="a registry"):
        main(["detect", "--help"])
