"""`--help` with options under headings, so that what a person looks for is found among thirty."""

from __future__ import annotations

from typing import Any

from typer.core import TyperCommand

__all__ = ["ADVANCED", "ALARM_LEVEL", "ALERTS", "INPUT", "LIVE_PAGE", "OUTPUT", "SPEED", "GroupedCommand"]

INPUT, OUTPUT, ALARM_LEVEL, SPEED, ADVANCED = "Input", "Output", "Alarm level", "Speed", "Advanced"
ALERTS, LIVE_PAGE = "Alerts", "Live page"
_ARGUMENTS, _OTHERS = "Arguments", "Options"
_ORDER = (_ARGUMENTS, INPUT, OUTPUT, ALARM_LEVEL, ALERTS, LIVE_PAGE, SPEED, ADVANCED, _OTHERS)


class GroupedCommand(TyperCommand):
    """A command whose options stand under the heading that each names as its `rich_help_panel`; rich is not needed."""

    def format_options(self, ctx: Any, formatter: Any) -> None:  # click's, which some typers carry as a copy
        """Write the headings in their order, each with what belongs there as it was declared."""
        groups: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _ORDER}
        for parameter in self.told_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None:
                other = _ARGUMENTS if parameter.param_type_name == "argument" else _OTHERS
                groups.setdefault(getattr(parameter, "rich_help_panel", None) or other, []).append(record)
        for heading, records in groups.items():
            if records:
                with formatter.section(heading):
                    formatter.write_dl(records)

    def told_params(self, ctx: Any) -> list[Any]:
        """The options and arguments as the help tells of them."""
        return list(self.get_params(ctx))
