"""Dumps as they come in life, one command after another, and a plain loop that says what must be accepted of them.

Rows arrive late, twice in one dump, again in the next one, or unusable; dumps come twice, wrong and then corrected, never,
after the night that follows them, without a column, cut short, or said to end before the last one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from tests.nightly.nights import generate
from tests.oracles.logs import MINUTE

LENGTH = 15 * MINUTE
LATENESS = "31m"
_LATE = 31 * MINUTE


@dataclass(frozen=True)
class Command:
    """One call of advance.

    Attributes
    ----------
    dump : file name.
    until : µs.
    replaces : number of the night.
    refused : name of the error that it must end with, the state unchanged.
    changes : whether it takes anything in.
    """

    dump: str
    until: int
    replaces: int | None = None
    refused: str | None = None
    changes: bool = True

    def to_data(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("dump", "until", "replaces", "refused", "changes")}


@dataclass
class Accepted:
    """What must be accepted, by a loop over rows and a dictionary of what is known."""

    until: int | None = None
    ends: list[int] = field(default_factory=list)
    nights: list[list[dict[str, Any]]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: {"late": 0, "repeated": 0, "unusable": 0})

    def take(self, dump: pl.DataFrame, until: int, number: int | None = None) -> None:
        """Take in a dump as a new night, or in place of the night `number`."""
        place = len(self.nights) if number is None else number - 1
        before = max(self.ends[:place], default=None)
        safe = -(2**62) if before is None else before - _LATE
        others = [night for k, night in enumerate(self.nights) if k != place]
        known = {(row["user"], row["id"]) for night in others for row in night if row["us"] >= safe}
        rows: list[dict[str, Any]] = []
        for row in dump.iter_rows(named=True):
            key = (row["user"], row["id"])
            lacking = any(row[name] is None for name in ("user", "us", "touchpoint"))
            if lacking or any(key == (other["user"], other["id"]) for other in rows):
                self.counts["unusable"] += 1
            elif row["us"] < safe:
                self.counts["late"] += 1
            elif key in known:
                self.counts["repeated"] += 1
            else:
                rows.append(row)
        if number is None:
            self.nights.append(rows)
            self.ends.append(until)
        else:
            self.nights[place] = rows
        self.until = max(self.ends)

    def frame(self, like: pl.DataFrame) -> pl.DataFrame:
        """All accepted rows, in order of arrival."""
        return pl.DataFrame([row for night in self.nights for row in night], schema=like.schema)


def messy(seed: int, folder: Path, *, n_nights: int, rows_a_night: int = 25) -> tuple[list[Command], Accepted]:
    """Write dumps into `folder`; the commands to be given, and what must be accepted after all of them."""
    draw = np.random.default_rng(seed)
    plain = generate(seed, n_nights=n_nights, n_rows=rows_a_night * n_nights, n_users=n_nights + 6, late=0.0)
    dumps = [pl.concat([dump, _unusable(dump, draw), dump.head(2)]) for dump in _delayed(plain.dumps, draw)]
    untils = plain.untils
    # each dump brings the last four minutes of the one before again
    dumps = [dumps[0]] + [
        pl.concat([before.filter(pl.col("us") >= end - 4 * MINUTE), dump])
        for before, dump, end in zip(dumps[:-1], dumps[1:], untils[:-1], strict=True)
    ]  # fmt: skip
    commands: list[Command] = []
    accepted = Accepted()

    def give(name: str, dump: pl.DataFrame, until: int, number: int | None = None) -> None:
        dump.write_parquet(folder / name)
        commands.append(Command(name, until, number))
        accepted.take(dump, until, number)

    behind: tuple[str, pl.DataFrame] | None = None
    night = 0
    while night < n_nights:
        dump, until, name = dumps[night], untils[night], f"{night}.parquet"
        kind = ["plain", "twice", "wrong", "missing", "behind", "broken", "empty"][night % 7] if night else "plain"
        if kind == "behind" and night + 1 < n_nights:
            behind = (name, dump)
        elif kind == "wrong" and night + 1 < n_nights:
            # what is corrected holds rows of its own window only, of which nothing can be sealed one night later
            own = dump.filter(pl.col("us") >= until - LENGTH)
            give(f"wrong-{name}", own.head(9).with_columns(touchpoint=pl.lit("quit")), until)
            number = len(accepted.nights)
            give(f"{night + 1}.parquet", dumps[night + 1], untils[night + 1])
            give(name, pl.concat([dump.filter(pl.col("us") < until - LENGTH).head(0), own]), until, number)
            commands.append(Command(name, until, number, changes=False))
            commands.append(Command(f"wrong-{name}", until, refused="StateError"))
            night += 1
        elif kind != "missing":
            if kind == "broken":
                commands += _broken(folder, night, dump, until, untils[max(0, night - 3)])
            give(name, dump.clear() if kind == "empty" else dump, until)
            if kind in ("twice", "empty"):
                commands.append(Command(name, until, changes=False))
            if behind is not None:
                give(behind[0], behind[1], until)
                behind = None
        night += 1
    return commands, accepted


def _delayed(dumps: list[pl.DataFrame], draw: np.random.Generator) -> list[pl.DataFrame]:
    """The dumps with a fifth of the rows arriving one to four nights later."""
    rows = pl.concat([dump.with_columns(arrives=pl.lit(k)) for k, dump in enumerate(dumps)])
    later = (draw.random(rows.height) < 0.2) * draw.integers(1, 5, rows.height)
    rows = rows.with_columns(arrives=(pl.col("arrives") + pl.Series(later)).clip(0, len(dumps) - 1))
    return [rows.filter(pl.col("arrives") == k).drop("arrives") for k in range(len(dumps))]


def _unusable(dump: pl.DataFrame, draw: np.random.Generator) -> pl.DataFrame:
    """Three rows that lack what an event must have."""
    rows = dump.head(3).with_columns(
        id=pl.Series([f"x{draw.integers(10**9)}" for _ in range(min(3, dump.height))], dtype=pl.String)
    )
    n = pl.int_range(pl.len())
    return rows.with_columns(
        user=pl.when(n != 0).then("user"), us=pl.when(n != 1).then("us"), touchpoint=pl.when(n != 2).then("touchpoint")
    )


def _broken(folder: Path, night: int, dump: pl.DataFrame, until: int, earlier: int) -> list[Command]:
    """Dumps that must be refused: without a column, cut short, and said to end before the last night."""
    dump.drop("channel").write_parquet(folder / f"column-{night}.parquet")
    whole = folder / f"whole-{night}.parquet"
    dump.write_parquet(whole)
    (folder / f"cut-{night}.parquet").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    dump.head(1).write_parquet(folder / f"backwards-{night}.parquet")
    return [
        Command(f"column-{night}.parquet", until, refused="SchemaError"),
        Command(f"cut-{night}.parquet", until, refused="SourceError"),
        Command(f"backwards-{night}.parquet", earlier, refused="StateError"),
    ]
