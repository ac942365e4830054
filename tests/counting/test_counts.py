"""Tables of counts: merged exactly, in any order, beyond 64 bits."""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from journeymine.counting import Basis, Counts, TableSpec, Tally, count_in_memory, finish
from journeymine.counting.tabulate import distinct_users, integer_key, key_of, pack, tabulate
from journeymine.errors import MergeError
from journeymine.events import StageMap, read_events
from journeymine.journeys import JourneyRules, build_journeys
from journeymine.journeys.context import LogContext
from journeymine.metrics import Conversion, StageReach
from journeymine.stats.wide import to_python_ints

SPEC = TableSpec(
    {"label": pl.String, "number": pl.Int64},
    {"n": "sum", "least": "min", "most": "max", "total": "wide"},
)
LABELS = ["a", None, "b", "🦊", ""]
big = st.integers(-(2**62), 2**62)
table_rows = st.lists(st.tuples(st.integers(0, 4), st.integers(-2, 2), st.sampled_from([0, 1, 63]), big), max_size=30)


def table(rows: list[tuple[int, int, int, int]]) -> pl.DataFrame:
    label, number, fold, value = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(4))
    return tabulate(
        SPEC,
        {"label": key_of(label, LABELS), "number": integer_key(number)},
        {"least": value, "most": value, "total": value},
        fold,
    )


def by_hand(rows: list[tuple[int, int, int, int]]) -> dict[tuple[Any, ...], tuple[int, int, int, int]]:
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for label, number, fold, value in rows:
        groups[LABELS[label], number, fold].append(value)
    return {key: (len(v), min(v), max(v), sum(v)) for key, v in groups.items()}


@given(parts=st.lists(table_rows, min_size=1, max_size=4))
def test_tables_merge_to_what_plain_integers_say(parts: list[list[tuple[int, int, int, int]]]) -> None:
    merged = SPEC.merge([table(rows) for rows in parts])
    found = {
        row[:3]: (*row[3:6], total)
        for row, total in zip(merged.rows(), to_python_ints(merged["total_hi"], merged["total_lo"]), strict=True)
    }
    assert found == by_hand([row for rows in parts for row in rows])
    assert merged.equals(merged.sort("label", "number", "fold"))
    assert merged["total_lo"].is_between(0, 2**32 - 1).all()
    assert SPEC.merge([merged]).equals(merged)
    assert SPEC.merge([*(table(rows) for rows in reversed(parts)), SPEC.empty()]).equals(merged)


@given(rows=table_rows)
def test_a_tally_lays_counts_out_by_row_and_fold(rows: list[tuple[int, int, int, int]]) -> None:
    merged = SPEC.merge([table(rows)])
    present = np.zeros(64, dtype=bool)
    present[[row[2] for row in rows]] = True
    tally = Tally.of(SPEC, merged, present)
    expected = by_hand(rows)
    assert tally.rows.rows() == merged.select("label", "number").unique(maintain_order=True).rows()
    totals = tally.total("n")
    for i, key in enumerate(tally.rows.rows()):
        for fold in (0, 1, 63):
            n, _, _, total = expected.get((*key, fold), (0, 0, 0, 0))
            assert tally.by_fold("n")[fold, i] == n
            assert tally.by_fold("total")[fold, i] == pytest.approx(total, rel=1e-14)
        assert totals[i] == sum(expected.get((*key, fold), (0,))[0] for fold in (0, 1, 63))
    assert tally.spread("n").shape == (1 + present.sum(), len(tally))


def test_a_large_key_space_is_counted_like_a_small_one() -> None:
    draw = np.random.default_rng(1)
    n, width = 5_000, 4_000
    a, b = draw.integers(0, width, n), draw.integers(0, width, n)
    spec = TableSpec({"a": pl.Int64, "b": pl.Int64}, {"n": "sum"}, folded=False)
    frame = tabulate(spec, {"a": integer_key(a), "b": integer_key(b)}, {})
    expected = pl.DataFrame({"a": a, "b": b}).group_by("a", "b").agg(n=pl.len().cast(pl.Int64)).sort("a", "b")
    assert spec.merge([frame]).equals(expected)


def test_keys_that_do_not_fit_62_bits_are_packed_by_what_occurs() -> None:
    width = 1 << 20
    codes = np.array([0, width - 1, 7, 0])
    key = key_of(codes, [str(i) for i in range(width)])
    packed, size = pack([key, key, key, key], 4)
    assert packed[0] == packed[3]
    assert len(set(packed.tolist())) == 3
    assert packed.max() < size < 2**63


@given(rows=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.booleans()), max_size=40))
def test_distinct_users_are_flagged_once_per_key(rows: list[tuple[int, int, bool]]) -> None:
    rows = sorted(rows, key=lambda row: row[1])
    key, user, which = (np.array([row[k] for row in rows], dtype=np.int64) for k in range(3))
    flags = distinct_users(key, user, which.astype(bool), 4)
    assert not (flags & ~which.astype(bool)).any()
    for each in range(4):
        assert flags[key == each].sum() == len({row[1] for row in rows if row[0] == each and row[2]})


@pytest.mark.parametrize(
    ("key", "user"),
    [([0, 1, 0], [0, 0, 0]), ([0, 1, 0], [1, 0, 1]), ([0, 1, 1], [0, 0, 0])],
    ids=["back and forth", "users not in order", "side by side"],
)
def test_a_user_who_comes_back_to_a_key_counts_once(key: list[int], user: list[int]) -> None:
    flags = distinct_users(np.array(key), np.array(user), np.ones(3, dtype=bool), 4)
    assert flags.tolist() == [True, True, False]


BASIS = Basis(JourneyRules(goal="order"), LogContext(0, 10), ("see", "buy"))


def test_counts_are_saved_as_parquet_and_json_and_nothing_else(tmp_path: Path) -> None:
    counts = Counts.of("q", BASIS, {"t": SPEC}, {"t": table([(0, 1, 2, 3)])})
    counts.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["counts.json", "t.parquet"]
    assert Counts.load(tmp_path, {"t": SPEC}).equals(counts)
    about = json.loads((tmp_path / "counts.json").read_text())
    (tmp_path / "counts.json").write_text(json.dumps({**about, "format": 99}))
    with pytest.raises(MergeError, match=r"99(?s:.*)Hint"):
        Counts.load(tmp_path, {"t": SPEC})


def test_what_cannot_be_merged_says_why() -> None:
    counts = Counts.of("q", BASIS, {"t": SPEC}, {"t": SPEC.empty()})
    with pytest.raises(MergeError, match="no counts"):
        Counts.merge([])
    other = Basis(JourneyRules(goal="order"), LogContext(0, 11), ("see", "buy"))
    with pytest.raises(MergeError, match="observed_until"):
        Counts.merge([counts, Counts.of("q", other, {"t": SPEC}, {"t": SPEC.empty()})])
    with pytest.raises(MergeError, match="different questions"):
        Counts.merge([counts, Counts.of("r", BASIS, {"t": SPEC}, {"t": SPEC.empty()})])


def test_a_basis_survives_json() -> None:
    assert Basis.from_data(json.loads(json.dumps(BASIS.to_data()))) == BASIS


def saved(folder: Path, *rows: tuple[int, ...]) -> Path:
    Counts.of("q", BASIS, {"t": SPEC}, {"t": table(list(rows))}).save(folder)
    return folder


DAMAGE: dict[str, Callable[[Path], object]] = {
    "holds no saved counts": lambda folder: (folder / "counts.json").unlink(),
    "counts.json is damaged": lambda folder: (folder / "counts.json").write_text("{}"),
    "counts.json is damaged: U": lambda folder: (folder / "counts.json").write_text('{"format": 1, "qu'),
    "t.parquet is missing": lambda folder: (folder / "t.parquet").unlink(),
    "t.parquet is not what was saved": lambda folder: (folder / "t.parquet").write_bytes(b"PAR1"),
    # whole and of the right shape, but of other counts
    "t.parquet is not what was saved: another": lambda folder: shutil.copy(
        saved(folder.parent / "other", (0, 1, 2, 4)) / "t.parquet", folder / "t.parquet"
    ),
}


@pytest.mark.parametrize("told", DAMAGE)
def test_saved_counts_that_are_not_what_was_saved_are_refused(told: str, tmp_path: Path) -> None:
    folder = saved(tmp_path / "own", (0, 1, 2, 3))
    DAMAGE[told](folder)
    with pytest.raises(MergeError, match=rf"{told}(?s:.*)Hint"):
        Counts.load(folder, {"t": SPEC})


def test_half_a_save_over_other_counts_is_no_save(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = saved(tmp_path / "own", (0, 1, 2, 3))
    monkeypatch.setattr(Path, "replace", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception):
        saved(folder, (0, 1, 2, 4))
    monkeypatch.undo()
    with pytest.raises(MergeError, match="never finished"):
        Counts.load(folder, {"t": SPEC})
    assert Counts.load(saved(folder, (0, 1, 2, 4)), {"t": SPEC}).tables["t"].rows() == table([(0, 1, 2, 4)]).rows()


def test_counts_saved_without_checksums_are_read(tmp_path: Path) -> None:
    about = json.loads((saved(tmp_path, (0, 1, 2, 3)) / "counts.json").read_text())
    old = {name: value for name, value in about.items() if name not in ("sha256", "currency")}
    (tmp_path / "counts.json").write_text(json.dumps(old))
    assert Counts.load(tmp_path, {"t": SPEC}).basis.currency is None


def paid_in(currency: str | None, user: str) -> Counts:
    frame = pl.DataFrame({"user": [user] * 2, "s": [0, 60], "what": ["see", "buy"], "paid": [None, 7.0]})
    money = {"value": "paid", "currency": currency} if currency else {}
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="what", **money)
    return count_in_memory(Conversion(), build_journeys(events, goal="buy", idle="1h", observed_until=10**12))


def test_money_of_two_currencies_is_never_added(tmp_path: Path) -> None:
    euro, dollar, none = paid_in("EUR", "a"), paid_in("USD", "b"), paid_in(None, "c")
    for pair in ([euro, dollar], [dollar, none, euro], [Counts.merge([euro, none]), dollar]):
        with pytest.raises(MergeError, match=r"several currencies: EUR, USD(?s:.*)Hint"):
            Counts.merge(pair)
    both = Counts.merge([none, euro, paid_in("eur ", "d")])
    both.save(tmp_path)
    loaded = Counts.load(tmp_path, Conversion().specs())
    assert loaded.equals(both)
    with pytest.raises(MergeError, match="EUR, USD"):
        finish(Conversion(), [loaded, dollar])


def test_a_refusal_to_merge_names_what_differs() -> None:
    one = Counts.of("q", BASIS, {"t": SPEC}, {"t": SPEC.empty()})
    basis = Basis(JourneyRules(goal="order", idle="7d"), LogContext(0, 3_600_000_000), ("see",))
    with pytest.raises(MergeError) as told:
        Counts.merge([one, Counts.of("q", basis, {"t": SPEC}, {"t": SPEC.empty()})])
    for difference in (
        "idle is '30d' in one and '7d' in another",
        "observed_until is 1970-01-01T00:00:00.000010Z in one and 1970-01-01T01:00:00.000000Z in another",
        "stages is ['see', 'buy'] in one and ['see'] in another",
    ):
        assert difference in str(told.value)
    assert "goal" not in str(told.value)
    with pytest.raises(MergeError, match="two different questions: q and other"):
        Counts.merge([one, Counts.of("other", BASIS, {"t": SPEC}, {"t": SPEC.empty()})])
    with pytest.raises(MergeError, match="a str is no counts"):
        Counts.merge([one, "counts"])  # type: ignore[list-item]


def staged(stages: Any, user: str, touchpoints: Any = ()) -> Counts:
    frame = pl.DataFrame({"user": [user] * 3, "s": [0, 60, 120], "what": ["see", "chat", "buy"]})
    stage_map = StageMap.of(stages, touchpoints=touchpoints)
    events = read_events(frame, user="user", timestamp="s", time_unit="s", touchpoint="what", stages=stage_map)
    return count_in_memory(StageReach(), build_journeys(events, goal="buy", idle="1h", observed_until=10**12))


def test_counts_by_stages_of_the_same_names_that_hold_other_touchpoints_are_never_added(tmp_path: Path) -> None:
    one = staged({"look": ["see", "chat"], "have": ["buy"]}, "a")
    same = staged([{"name": "look", "touchpoints": ["see", "chat"]}, {"name": "have", "touchpoints": "buy"}], "b")
    other = staged({"look": ["see"], "have": ["buy", "chat"]}, "c")
    owned = staged({"look": ["see", "chat"], "have": ["buy"]}, "d", [{"match": "chat", "owner": "Service"}])
    # chat is in "look" for a and b: nobody leaves it, and all three reach "have"; a sum with c would mix two questions
    assert Counts.merge([one, same]).basis == one.basis
    for pair in ([one, other], [one, owned], [Counts.merge([one, same]), other]):
        with pytest.raises(
            MergeError, match=r"two stage maps: their stages have the same names(?s:.*)Hint: .*one stage map"
        ):
            Counts.merge(pair)
    one.save(tmp_path)
    assert Counts.load(tmp_path, StageReach().specs()).equals(one)
    with pytest.raises(MergeError, match="two stage maps"):
        finish(StageReach(), [Counts.load(tmp_path, StageReach().specs()), other])


def test_counts_saved_by_a_version_that_did_not_keep_the_stage_map_are_read_and_added(tmp_path: Path) -> None:
    new, other = (
        staged({"look": ["see"], "have": ["buy"]}, "a"),
        staged({"look": ["see", "chat"], "have": ["buy"]}, "b"),
    )
    new.save(tmp_path)
    about = json.loads((tmp_path / "counts.json").read_text())
    assert about["basis"].pop("stage_map") == new.basis.stage_map
    (tmp_path / "counts.json").write_text(json.dumps(about))
    old = Counts.load(tmp_path, StageReach().specs())
    assert old.basis.stage_map is None
    for pair in ([old, new], [new, old]):
        assert Counts.merge(pair).basis.stage_map == new.basis.stage_map
    for three in ([old, new, other], [new, old, other], [Counts.merge([old, new]), other]):
        with pytest.raises(MergeError, match="two stage maps"):
            Counts.merge(three)
