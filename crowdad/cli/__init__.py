"""The command line: arguments -> settings -> one workflow -> exit code.  No heavy import until a verb runs."""

from crowdad.cli.main import app, main

__all__ = ["app", "main"]
