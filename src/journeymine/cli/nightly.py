"""The commands of a batch job: journeymine nightly create, advance, report, nights, quarantine, verify, repair, erase, rebuild."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import polars as pl
import typer
from rich.table import Table

from journeymine.cli.exit_codes import BROKEN, FLAGGED
from journeymine.cli.tables import check_table_path, write_table
from journeymine.cli.terminal import json_line, output, plain
from journeymine.nightly import NightlyState

__all__ = ["nightly"]

nightly = typer.Typer(
    name="nightly",
    help="Keep a state that grows with each night's dump.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

State = Annotated[Path, typer.Argument(help="Folder of the state.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
Configuration = Annotated[Path, typer.Option("--config", "-c", help="A TOML file with sources, stages and rules.")]
Lateness = Annotated[str, typer.Option(help="How long after its own time an event may still arrive.")]
Zone = Annotated[str, typer.Option(help="Time zone whose calendar says on which day a journey started.")]
Every = Annotated[str, typer.Option(help="How often a dump comes.")]
KeepDays = Annotated[int, typer.Option(help="Number of days for which rows set aside are kept.")]
Measures = Annotated[
    Path | None, typer.Option("--measures", "-m", help="A TOML file with questions; by default those of a journey map.")
]
AlarmRate = Annotated[float, typer.Option(help="Share of quiet nights on which report may flag something.")]


@nightly.command()
def create(
    state: State, config: Configuration, measures: Measures = None, allowed_lateness: Lateness = "1d", timezone: Zone = "UTC", every: Every = "1d",
    keep_days: KeepDays = 30, alarm_rate: AlarmRate = 0.01, as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Make a new state, with the rules of a file."""
    made = NightlyState.create(
        state, config=config, measures=measures, allowed_lateness=allowed_lateness, timezone=timezone, every=every,
        keep_days=keep_days, alarm_rate=alarm_rate,
    )  # fmt: skip
    settings = made.settings
    _tell(
        {"state": str(state), "fingerprint": settings.fingerprint, "measures": list(settings.measures)},
        f"Made {state} with {len(settings.measures)} measures. Next: journeymine nightly advance {state} DUMP",
        as_json=as_json,
        quiet=quiet,
    )


@nightly.command()
def advance(
    state: State,
    dump: Annotated[Path, typer.Argument(help="Tonight's dump: a file, or the folder of the sources' files.")],
    until: Annotated[str | None, typer.Option(help="Until when the log is complete, e.g. 2026-03-01 (all of that day).")] = None,
    replaces: Annotated[int | None, typer.Option(help="Number of the night that this dump corrects.")] = None,
    config: Annotated[Path | None, typer.Option("--config", "-c", help="Refuse the dump if this file has changed since the state was made.")] = None,
    measures: Annotated[Path | None, typer.Option("--measures", "-m", help="Refuse the dump if these questions have changed.")] = None,
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Add the next dump to the state. The same dump twice changes nothing."""
    opened = NightlyState.open(state)
    if config is not None:
        opened.check_config(config, measures)
    elif measures is not None:
        raise typer.BadParameter("--measures needs --config beside it")
    night = opened.advance(dump, until=until, replaces=replaces)
    told = night.to_dict()
    done = "taken in" if night.changed else "known already, nothing changed"
    aside = sum(night.quarantined.values())
    words = (
        f"Night {night.id} ({night.dump}) {done}: {night.accepted:,} of {night.rows_read:,} rows accepted, "
        f"{aside:,} set aside, {night.duplicates:,} known by their event id; complete until {told['observed_until']}."
    )
    if night.missing:
        words += f" {night.missing} night(s) are missing before it."
    _tell(told, words, as_json=as_json, quiet=quiet)


@nightly.command()
def report(
    state: State,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the map, the tables and watch.json.")] = Path("report"),
    start: Annotated[str | None, typer.Option(help="Only journeys that started on this day or later.")] = None,
    end: Annotated[str | None, typer.Option(help="Only journeys that started before this day.")] = None,
    title: Annotated[str, typer.Option(help="Title of the map.")] = "Customer journey map",
    min_group: Annotated[int, typer.Option(help="Withhold figures of the map that fewer users stand behind.")] = 10,
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write map and tables; exit code 6 if the night stands out."""
    written = NightlyState.open(state).report(out, start=start, end=end, title=title, min_group=min_group)
    lines = [f"Wrote {len(written.files) + 1} files to {out}, as of {written.as_of}."]
    lines += [flag.message for flag in written.flags]
    lines += [f"{written.missing_nights} night(s) are missing before the last one."] * bool(written.missing_nights)
    _tell(written.to_dict(), "\n".join(lines), as_json=as_json, quiet=quiet)
    if written.flags:
        raise typer.Exit(FLAGGED)


_HEADS = {
    "observed_until": "observed\nuntil", "rows_read": "rows\nread", "accepted": "accep-\nted", "quarantined": "quaran-\ntined",
    "duplicates": "dupli-\ncates", "missing_before": "missing\nbefore", "replaceable": "replace-\nable",
}  # fmt: skip
"""Column names of two lines, so that a narrow terminal cuts none off."""


@nightly.command()
def nights(state: State, as_json: AsJson = False) -> None:
    """List the nights that the state holds."""
    frame = NightlyState.open(state).nights
    if as_json:
        typer.echo(json_line(frame.to_dicts()))
        return
    table = Table(box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for name in frame.columns:
        justify = "left" if name in ("dump", "observed_until") else "right"
        table.add_column(_HEADS.get(name, name), justify=justify, overflow="fold")  # type: ignore[arg-type]
    for row in frame.with_columns(pl.col("observed_until").dt.strftime("%Y-%m-%d %H:%M:%SZ")).iter_rows():
        table.add_row(*(plain(str(cell)) for cell in row))
    output().print(table)


@nightly.command()
def quarantine(
    state: State,
    out: Annotated[Path, typer.Option("--out", "-o", help="Write the rows to this .parquet or .csv.")],
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write the rows set aside that are still kept."""
    check_table_path(out)
    rows = NightlyState.open(state).quarantine
    write_table(rows, out)
    told = dict(rows.group_by("reason").len().sort("len", "reason", descending=[True, False]).iter_rows())
    words = ", ".join(f"{n:,} {reason}" for reason, n in told.items())
    _tell({"out": str(out), "rows": rows.height, "reasons": told},
          f"Wrote {rows.height:,} rows to {out}{': ' * bool(told)}{words}.", as_json=as_json, quiet=quiet)  # fmt: skip


@nightly.command()
def verify(state: State, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Compare a state with its checksums; exit code 5 if damaged."""
    found = NightlyState.open(state).verify()
    words = f"{found['objects']} objects, {found['bytes'] / 1e6:,.1f} MB, {len(found['damaged'])} damaged."
    _tell(found, "\n".join([words, *found["damaged"]]), as_json=as_json, quiet=quiet)
    if found["damaged"]:
        raise typer.Exit(BROKEN)


@nightly.command()
def repair(state: State, as_json: AsJson = False, quiet: Quiet = False) -> None:
    """Go back to the latest generation that is whole.

    Also removes what a killed process left.
    """
    done = NightlyState(state).repair()
    words = f"Whole at generation {done['generation']} with {done['nights']} nights."
    if done["went_back"]:
        words += " Advance the dumps after them again."
    _tell(done, words, as_json=as_json, quiet=quiet)


@nightly.command()
def erase(
    state: State,
    user: Annotated[str, typer.Option(help="Id of the person whose events are to be removed.")],
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Remove the events of one person.

    Sealed counts stay; they name nobody.
    """
    removed = NightlyState.open(state).erase(user)
    rows = sum(count for place, count in removed.items() if place != "journeys_in_sealed_counts")
    words = (
        f"Removed {rows:,} rows; {removed['journeys_in_sealed_counts']:,} sealed journeys of theirs stay in the counts."
    )
    _tell(removed, words, as_json=as_json, quiet=quiet)


@nightly.command()
def rebuild(
    state: State,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder of the new state.")],
    from_dumps: Annotated[list[Path], typer.Option("--from-dumps", metavar="DUMP", help="The dumps in order; may be repeated.")],
    config: Annotated[Path | None, typer.Option("--config", "-c", help="New rules; by default those of the state.")] = None,
    measures: Annotated[Path | None, typer.Option("--measures", "-m", help="New questions, as a TOML file.")] = None,
    as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Make a state anew from its dumps.

    Use it for new rules, new measures or a new format. The old state stays as it is.
    """
    made = NightlyState.rebuild(state, out, from_dumps, config=config, measures=measures)
    frame = made.nights
    _tell(
        {"state": str(out), "nights": frame.height, "accepted": int(frame["accepted"].sum())},
        f"Made {out} from {frame.height} dumps.",
        as_json=as_json,
        quiet=quiet,
    )


def _tell(told: dict[str, Any], words: str, *, as_json: bool, quiet: bool) -> None:
    if as_json:
        typer.echo(json_line(told))
    elif not quiet:
        output().print(plain(words), soft_wrap=True)
