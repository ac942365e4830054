"""The application: its commands, and how errors leave it."""

from __future__ import annotations

import sys

import typer

from journeymine.cli import commands
from journeymine.cli.exit_codes import BAD_INPUT, INTERRUPTED, exit_code_of
from journeymine.cli.nightly import nightly
from journeymine.cli.terminal import errors, json_line, plain
from journeymine.errors import JourneymineError

__all__ = ["app", "run"]

app = typer.Typer(
    name="journeymine",
    help="Mine customer journeys from raw touchpoint logs: tables, data quality, and a journey map.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("map")(commands.draw_map)
app.command("check")(commands.check)
app.command("mine")(commands.mine_tables)
app.command("sample")(commands.sample)
app.command("version")(commands.version)
app.add_typer(nightly)


def run(arguments: list[str] | None = None) -> int:
    """Run a command line and return its exit code; errors go to stderr without a traceback."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        return int(app(given, standalone_mode=True) or 0)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else BAD_INPUT
    except KeyboardInterrupt:
        errors().print("interrupted", style="red")
        return INTERRUPTED
    except JourneymineError as error:
        return _tell(type(error).__name__, error.message, error.hint, exit_code_of(error), as_json="--json" in given)
    except OSError as error:
        hint = "check the path, the free space and the right to write there"
        return _tell("OSError", str(error), hint, BAD_INPUT, as_json="--json" in given)


def _tell(kind: str, message: str, hint: str, code: int, *, as_json: bool) -> int:
    """Say on stderr what is wrong; returns the exit code."""
    if as_json:
        told = {"error": kind, "message": message, "hint": hint, "exit_code": code}
        sys.stderr.write(json_line(told, sys.stderr) + "\n")
        return code
    console = errors()
    console.print(plain(f"{kind}: {message}"), style="red", markup=False, highlight=False)
    if hint:
        console.print(plain(f"Hint: {hint}"), markup=False, highlight=False)
    return code
