"""The commands: map, check, mine, sample, version."""

from __future__ import annotations

import json
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from journeymine import __version__
from journeymine.cli.exit_codes import BAD_DATA
from journeymine.cli.logs import ConfigOption, LogArgument, LogOptions, open_log, rule_fields
from journeymine.cli.tables import check_table_path, write_table
from journeymine.cli.terminal import json_line, output, plain, progress_bar
from journeymine.engines.mine import mine
from journeymine.events.log import Events
from journeymine.journeys.building import build_journeys
from journeymine.maps.compose import measures_of
from journeymine.maps.mapping import journey_map
from journeymine.nightly.questions import check_table_names, read_measures
from journeymine.percents import percent

__all__ = ["check", "draw_map", "mine_tables", "sample", "version"]


class Format(StrEnum):
    """Formats of the tables."""

    parquet = "parquet"
    csv = "csv"


User = Annotated[str | None, typer.Option(help="Column with the user id.")]
Timestamp = Annotated[str | None, typer.Option(help="Column with the time of the event.")]
Touchpoint = Annotated[str | None, typer.Option(help="Column that says what happened.")]
Channel = Annotated[str | None, typer.Option(help="Column that says where it happened.")]
Value = Annotated[str | None, typer.Option(help="Column with the value, e.g. revenue.")]
Timezone = Annotated[str | None, typer.Option(help="Time zone of times that name none, e.g. Europe/Berlin.")]
TimeUnit = Annotated[str | None, typer.Option(help="Unit of times that are numbers: s, ms, us or ns.")]
TimeFormat = Annotated[str | None, typer.Option(help="Format of times that are text, e.g. %d-%m-%Y.")]
Measures = Annotated[
    Path | None, typer.Option("--measures", "-m", help="A TOML file with questions; by default those of a journey map.")
]
Goal = Annotated[list[str] | None, typer.Option(help="Touchpoint that converts a journey; may be repeated.")]
LostAt = Annotated[list[str] | None, typer.Option(help="Touchpoint that loses a journey at once; may be repeated.")]
Idle = Annotated[str | None, typer.Option(help="Silence after which a journey is over, e.g. 30d.")]
Split = Annotated[str | None, typer.Option(help="Cut journeys by user, by session or by a column instead.")]
Limit = Annotated[
    float | None, typer.Option("--max-quarantine-share", help="Largest share of rows (0-1) that may be set aside.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for machines.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def draw_map(
    log: LogArgument, config: ConfigOption = None,
    out: Annotated[Path, typer.Option("--output", "-o", help="File to write; its suffix chooses the form: .html .svg .png .pdf .md .json")] = Path("map.html"),
    title: Annotated[str, typer.Option(help="Title of the map.")] = "Customer journey map",
    min_group: Annotated[int, typer.Option(help="Withhold figures that fewer users stand behind.")] = 10,
    user: User = None, timestamp: Timestamp = None, touchpoint: Touchpoint = None, channel: Channel = None,
    value: Value = None, timezone: Timezone = None, time_unit: TimeUnit = None, time_format: TimeFormat = None,
    goal: Goal = None, lost_at: LostAt = None, idle: Idle = None, split: Split = None,
    max_quarantine_share: Limit = None, as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Draw the journey map of a log, as one self-contained file."""
    options = LogOptions.of(
        user=user, timestamp=timestamp, touchpoint=touchpoint, channel=channel, value=value, timezone=timezone,
        time_unit=time_unit, time_format=time_format, goal=goal, lost_at=lost_at, idle=idle, split=split,
    )  # fmt: skip
    with progress_bar(quiet=quiet or as_json) as progress:
        progress("reading", 0.0)
        events = open_log(log, config, options, max_quarantine_share)
        events.check()
        progress("building journeys", 0.3)
        journeys = build_journeys(events, **rule_fields(events, config, options))
        progress("counting", 0.5)
        drawn = journey_map(journeys, title=title, min_group=min_group)
        progress("drawing", 0.9)
        path = drawn.save(out)
    header = drawn.spec.header
    if as_json:
        told = {
            "map": str(path), "users": len(journeys.users), "journeys": len(journeys), "mature": header.n_mature,
            "converted": header.n_converted, "share": header.converted.value if header.converted else None,
            "quarantined": events.report.quarantined, "rows_read": events.report.rows_read,
        }  # fmt: skip
        typer.echo(json_line(told))
    elif not quiet:
        for sentence in drawn.spec.summary:
            output().print(plain(sentence.text))
        output().print(plain(f"Wrote {path} ({path.stat().st_size / 1000:,.0f} kB)."), soft_wrap=True)


def check(
    log: LogArgument, config: ConfigOption = None,
    user: User = None, timestamp: Timestamp = None, touchpoint: Touchpoint = None, channel: Channel = None,
    value: Value = None, timezone: Timezone = None, time_unit: TimeUnit = None, time_format: TimeFormat = None,
    quarantine: Annotated[Path | None, typer.Option(help="Write the rows set aside to this .parquet or .csv.")] = None,
    max_quarantine_share: Limit = None, as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Report the quality of a log; exit code 1 if it is too low."""
    options = LogOptions.of(
        user=user, timestamp=timestamp, touchpoint=touchpoint, channel=channel, value=value, timezone=timezone,
        time_unit=time_unit, time_format=time_format,
    )  # fmt: skip
    if quarantine is not None:
        check_table_path(quarantine)
    with progress_bar(quiet=quiet or as_json) as progress:
        progress("reading", 0.0)
        events = open_log(log, config, options, max_quarantine_share)
        report = events.report
    if quarantine is not None:
        write_table(events.quarantine, quarantine)
    share = report.quarantined / report.rows_read if report.rows_read else 0.0
    over = share > events.max_quarantine_share
    if as_json:
        limits = {"quarantine_share": share, "max_quarantine_share": events.max_quarantine_share, "over_limit": over}
        typer.echo(json_line({**report.to_dict(), **limits}))
    elif not quiet:
        _show_report(events)
        if over:
            output().print(
                f"Too many rows were set aside: {percent(share, 2)}%, the limit is {percent(events.max_quarantine_share, 2)}%."
            )
    if over:
        raise typer.Exit(BAD_DATA)


def mine_tables(
    log: LogArgument, config: ConfigOption = None,
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the tables.")] = Path("mined"),
    measures: Measures = None,
    form: Annotated[Format, typer.Option("--format", help="Format of the tables.")] = Format.parquet,
    user: User = None, timestamp: Timestamp = None, touchpoint: Touchpoint = None, channel: Channel = None,
    value: Value = None, timezone: Timezone = None, time_unit: TimeUnit = None, time_format: TimeFormat = None,
    goal: Goal = None, lost_at: LostAt = None, idle: Idle = None, split: Split = None,
    max_quarantine_share: Limit = None, as_json: AsJson = False, quiet: Quiet = False,
) -> None:  # fmt: skip
    """Write the tables behind a journey map, or those you ask for.

    Journeys, transitions, variants, conversion, drop-off, friction and the others, or what --measures names; the
    quarantine and the report.
    """
    options = LogOptions.of(
        user=user, timestamp=timestamp, touchpoint=touchpoint, channel=channel, value=value, timezone=timezone,
        time_unit=time_unit, time_format=time_format, goal=goal, lost_at=lost_at, idle=idle, split=split,
    )  # fmt: skip
    with progress_bar(quiet=quiet or as_json) as progress:
        progress("reading", 0.0)
        events = open_log(log, config, options, max_quarantine_share)
        events.check()
        journeys = build_journeys(events, **rule_fields(events, config, options))
        usual = measures_of(journeys)
        asked = usual if measures is None else read_measures(measures, usual)
        check_table_names(asked, ("journeys", "quarantine"))
        mined = mine(journeys, asked.values(), progress=progress)
        tables = {"journeys": journeys.table, "quarantine": events.quarantine}
        for name, measure in asked.items():
            result = mined[measure]
            tables[name] = result.frame
            tables |= {f"{name}_{table}": frame for table, frame in result.tables.items()}
    out.mkdir(parents=True, exist_ok=True)
    written = [write_table(frame, out / f"{name}.{form.value}") for name, frame in tables.items()]
    (out / "report.json").write_text(
        json.dumps(events.report.to_dict(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8"
    )
    if as_json:
        told = {path.name: frame.height for path, frame in zip(written, tables.values(), strict=True)}
        typer.echo(json_line({"out": str(out), "tables": told}))
    elif not quiet:
        table = Table("table", "rows", "columns")
        for path, frame in zip(written, tables.values(), strict=True):
            table.add_row(path.name, f"{frame.height:,}", f"{frame.width}")
        output().print(table)
        output().print(f"Wrote {len(written) + 1} files to {out}.", soft_wrap=True)


def sample(
    directory: Annotated[Path, typer.Argument(help="Folder to write to.")],
    seed: Annotated[int, typer.Option(help="Seed of the simulation; another seed makes another retailer.")] = 1,
    planted: Annotated[bool, typer.Option(help="Plant facts in the data, or leave them out.")] = True,
    quiet: Quiet = False,
) -> None:
    """Write the sample data.

    A simulated retailer with many channels, and planted facts to find.
    """
    from journeymine.retailer import write_sample

    write_sample(directory, seed=seed, planted=planted)
    if not quiet:
        output().print(
            f"Wrote the sample to {directory}. Next: journeymine map {directory / 'journey.toml'}", soft_wrap=True
        )


def version() -> None:
    """Print the version."""
    typer.echo(__version__)


def _show_report(events: Events) -> None:
    table = Table(show_header=False, box=None, padding=(0, 2, 0, 0))
    for name, figure in events.report.lines():
        table.add_row(plain(name), plain(figure))
    output().print(table)
