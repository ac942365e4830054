"""One suite over every measure: counts merge exactly, whatever the partition, and finish to the same bytes."""

from __future__ import annotations

import dataclasses
import itertools
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from journeymine.counting import Counts, Measure, Result, count_in_memory, finish, question_of
from journeymine.counting.measure import basis_of
from journeymine.errors import JourneymineError, MergeError
from journeymine.journeys import JourneyRules
from tests.contracts.measures import MEASURES
from tests.oracles.logs import Row, build, build_part, logs, rule_fields

EVERY = pytest.mark.parametrize("measure", MEASURES, ids=[f"{m.name}-{i}" for i, m in enumerate(MEASURES)])
# The same examples come for every measure, so that journeys are built once; shrinking is left to the thorough profile.
THOROUGH = os.environ.get("JOURNEYMINE_HYPOTHESIS") == "thorough"
FEW = settings(
    max_examples=300 if THOROUGH else 6,
    phases=[Phase.explicit, Phase.generate, *([Phase.shrink] if THOROUGH else [])],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


ONE = (Row("u", 0, "visit", "web", None, None, None, None),)


def same(a: Result, b: Result) -> bool:
    """To the byte: frames written as Arrow IPC are equal."""
    names = list(a.tables) == list(b.tables) and a.notes == b.notes and a.question == b.question
    pairs = [(a.frame, b.frame), *((a.tables[n], b.tables[n]) for n in a.tables)]
    return names and all(written(x) == written(y) for x, y in pairs)


def written(frame: pl.DataFrame) -> bytes:
    out = frame.write_ipc(None)
    return out.getvalue()


def counted(measure: Measure, journeys: Any) -> Counts | str:
    """The counts, or the name of the clear error that these rules deserve for this question."""
    try:
        return measure.count(journeys)
    except JourneymineError as error:
        return type(error).__name__


def check_shape(measure: Measure, found: Counts) -> None:
    """Integers keyed by labels, sorted, of the declared shape."""
    specs = measure.specs()
    assert list(found.tables) == list(specs)
    for name, frame in found.tables.items():
        spec = specs[name]
        assert dict(frame.schema) == {k: (v if isinstance(v, pl.DataType) else v()) for k, v in spec.schema.items()}
        assert all(kind.is_integer() or kind == pl.String for kind in frame.schema.values())
        values = [column for column in frame.columns if column not in spec.key_names]
        assert not any(frame[column].null_count() for column in values)
        assert not frame.select(spec.key_names).is_duplicated().any() if spec.key_names else frame.height <= 1
        if spec.key_names:
            assert frame.equals(frame.sort(spec.key_names))


@st.composite
def partitions(draw: st.DrawFn) -> tuple[tuple[Row, ...], list[tuple[Row, ...]], dict[str, Any]]:
    log = draw(logs)
    n_parts = draw(st.integers(1, 4))
    home = {user: draw(st.integers(0, n_parts - 1)) for user in sorted({row.user for row in log})}
    parts = [tuple(row for row in log if home[row.user] == part) for part in range(n_parts)]
    return log, draw(st.permutations(parts)), draw(rule_fields())


@EVERY
@FEW
@given(case=partitions())
def test_any_partition_of_users_in_any_order_is_the_whole(measure: Measure, case: Any) -> None:
    log, parts, fields = case
    whole = build(log, **fields)
    expected = counted(measure, whole)
    pieces = [counted(measure, build_part(log, part, whole.rules)) for part in parts]
    if isinstance(expected, str):
        assert expected in pieces
        return
    merged = Counts.merge(pieces)
    assert merged.equals(expected), {
        name: (merged.tables[name], frame)
        for name, frame in expected.tables.items()
        if not frame.equals(merged.tables[name])
    }
    assert same(finish(measure, pieces), finish(measure, expected))


@EVERY
@FEW
@given(case=partitions())
def test_merging_is_associative_and_commutative_and_has_an_identity(measure: Measure, case: Any) -> None:
    log, parts, fields = case
    rules = JourneyRules(**fields)
    pieces = [counted(measure, build_part(log, part, rules)) for part in [*parts, ()]]
    if any(isinstance(piece, str) for piece in pieces):
        return
    nothing = pieces[-1]
    one_by_one = pieces[0]
    for piece in pieces[1:]:
        one_by_one = Counts.merge([one_by_one, piece])
    from_the_right = pieces[-1]
    for piece in reversed(pieces[:-1]):
        from_the_right = Counts.merge([piece, from_the_right])
    assert one_by_one.equals(from_the_right)
    assert one_by_one.equals(Counts.merge(reversed(pieces)))
    assert Counts.merge([nothing, one_by_one]).equals(one_by_one)
    assert Counts.merge([one_by_one, nothing, nothing]).equals(one_by_one)
    assert Counts.merge([nothing]).equals(nothing)


@EVERY
@FEW
@given(case=partitions())
def test_journeys_add_up_and_distinct_users_do_not(measure: Measure, case: Any) -> None:
    """Over nights the same users come again: what counts them must merge as "users", whatever its name.

    Counts of a user-unit measure are of whole users, and never add up over nights.
    """
    if measure.unit == "user":
        return
    for spec in measure.specs().values():
        assert {how for name, how in spec.values.items() if "user" in name} <= {"users"}
    log, _, fields = case
    whole = build(log, **fields)
    if measure.unit == "session" or isinstance(counted(measure, whole), str):
        return
    # Every second journey on one night, the others on the next: users stand in both.
    nights = [measure.count(whole.pick(np.arange(len(whole)) % 2 == night)) for night in (0, 1)]
    over, apart, together = Counts.over_nights(nights, nights[0].basis), Counts.merge(nights), measure.count(whole)
    for name, spec in measure.specs().items():
        users = [column for column, how in spec.values.items() if how == "users"]
        assert apart.tables[name].drop(users).equals(together.tables[name].drop(users)), name
        for column in users:
            assert (apart.tables[name][column] >= together.tables[name][column]).all()
            assert (over.tables[name][column] <= together.tables[name][column]).all()


@EVERY
@FEW
@given(case=partitions(), n_steps=st.integers(1, 9))
def test_views_of_whole_users_add_up_to_the_whole(measure: Measure, case: Any, n_steps: int) -> None:
    log, _, fields = case
    whole = build(log, **fields)
    expected = counted(measure, whole)
    if not isinstance(expected, str):
        assert count_in_memory(measure, whole, n_steps=n_steps).equals(expected)


@EVERY
@FEW
@given(case=partitions())
def test_counts_have_the_declared_shape_and_survive_a_save_and_a_load(
    measure: Measure, case: Any, tmp_path: Path
) -> None:
    log, parts, fields = case
    for number, part in enumerate([*parts, ()]):
        found = counted(measure, build_part(log, part, JourneyRules(**fields)))
        if isinstance(found, str):
            return
        check_shape(measure, found)
        folder = tmp_path / str(number)
        found.save(folder)
        loaded = Counts.load(folder, measure.specs())
        assert loaded.equals(found)
        assert same(finish(measure, loaded), finish(measure, found))
        assert Counts.merge([loaded, found]).equals(Counts.merge([found, found]))


@EVERY
def test_counts_saved_by_a_version_with_other_tables_are_refused(measure: Measure, tmp_path: Path) -> None:
    """A question keeps its fingerprint over versions: what its tables lack must not be met half-way through an estimate."""
    specs = measure.specs()
    whole = {name: spec.empty() for name, spec in specs.items()}
    name = next(iter(specs))
    frame = whole[name]
    earlier = {
        f"lack '{name}'": {n: each for n, each in whole.items() if n != name},
        "have no use for 'former'": {**whole, "former": frame},
        f"have other columns in '{name}'": {**whole, name: frame.drop(frame.columns[-1])},
    }
    for number, (told, tables) in enumerate(earlier.items()):
        folder = tmp_path / str(number)
        Counts(question_of(measure), basis_of(build(ONE)), specs, tables).save(folder)
        with pytest.raises(MergeError, match=told):
            Counts.load(folder, specs)


@EVERY
@FEW
@given(log=logs, fields=rule_fields())
def test_finishing_is_pure_and_estimates_lie_inside_their_intervals(
    measure: Measure, log: tuple[Row, ...], fields: dict[str, Any]
) -> None:
    found = counted(measure, build(log, **fields))
    if isinstance(found, str):
        return
    before = {name: frame.clone() for name, frame in found.tables.items()}
    result = finish(measure, found)
    assert same(result, finish(measure, found))
    assert all(before[name].equals(frame) for name, frame in found.tables.items())
    for frame in (result.frame, *result.tables.values()):
        for name in frame.columns:
            if f"{name}_lower" in frame.columns:
                inside = frame.select(
                    (pl.col(f"{name}_lower") <= pl.col(name) + 1e-9) & (pl.col(name) <= pl.col(f"{name}_upper") + 1e-9)
                ).to_series()
                assert inside.drop_nulls().all(), (name, frame)
            if name.endswith("share"):
                assert frame[name].drop_nulls().is_between(0, 1).all(), (name, frame)
            if frame.schema[name].is_float():
                assert not frame[name].is_nan().any(), (name, frame)


@EVERY
@pytest.mark.parametrize("fields", [{"goal": "order"}, {}], ids=["goal", "no goal"])
def test_one_row_and_no_row(measure: Measure, fields: dict[str, Any]) -> None:
    log = (Row("a", 0, "visit", "web", None, None, None, None),)
    rules = JourneyRules(**fields)
    one, none = (counted(measure, build_part(log, part, rules)) for part in (log, ()))
    if isinstance(one, str) or isinstance(none, str):
        assert one == none or isinstance(none, str)
        return
    assert Counts.merge([none, one]).equals(one)
    for counts in (one, none):
        result = finish(measure, counts)
        assert result.name == measure.name
        assert result.frame.schema == finish(measure, one).frame.schema
        assert repr(result)
        assert result._repr_html_()


@EVERY
def test_the_fingerprint_is_of_the_question_alone_and_stable(measure: Measure) -> None:
    again = dataclasses.replace(measure)
    assert question_of(again) == question_of(measure)
    others = [question_of(other) for other in MEASURES if other is not measure]
    assert question_of(measure) not in others


def test_fingerprints_are_the_same_in_another_process() -> None:
    code = (
        "from tests.contracts.measures import MEASURES\nfrom journeymine.counting import question_of\n"
        "import sys\nsys.stdout.write('\\n'.join(question_of(m) for m in MEASURES))"
    )
    found = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={"PYTHONHASHSEED": "7", "PATH": "", "PYTHONPATH": ":".join(p for p in sys.path if p)},
    )  # fmt: skip
    assert found.stdout.split("\n") == [question_of(measure) for measure in MEASURES]


@EVERY
def test_counts_of_other_questions_rules_or_bounds_refuse_to_merge(measure: Measure) -> None:
    log = (Row("a", 0, "order", "web", 1.0, None, "pro", None), Row("b", 9, "visit", None, None, None, None, None))
    one = counted(measure, build(log, goal="order", idle="10m", session_gap="3m"))
    if isinstance(one, str):
        return
    for other_rules in ({"idle": "11m"}, {"idle": "10m", "observed_until": 1_600_000_000_000_000}):
        other = measure.count(build(log, goal="order", session_gap="3m", **other_rules))
        with pytest.raises(MergeError, match="Hint"):
            Counts.merge([one, other])
    stranger = next(m for m in MEASURES if question_of(m) != question_of(measure))
    with pytest.raises(MergeError, match="Hint"):
        finish(stranger, one)


@EVERY
def test_a_measure_is_a_frozen_value_that_says_what_it_asks(measure: Measure) -> None:
    assert isinstance(measure, Measure)
    assert measure.unit in ("journey", "user", "session")
    assert measure.question.endswith("?")
    assert measure.schema_version >= 1
    assert measure == dataclasses.replace(measure)
    field = next(iter(dataclasses.fields(measure)), None)
    if field is not None:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(measure, field.name, None)


def test_every_measure_of_the_package_is_in_the_list() -> None:
    import journeymine

    public = [getattr(journeymine, name) for name in journeymine.__all__]
    known = {type(measure) for measure in MEASURES}
    missing = [
        cls.__name__
        for cls in public
        if isinstance(cls, type) and {"count", "estimate", "specs"} <= set(dir(cls)) and cls.__name__ != "Measure"
        and cls not in known
    ]  # fmt: skip
    assert not missing


def test_the_list_holds_each_question_once() -> None:
    questions = [question_of(measure) for measure in MEASURES]
    assert not [q for q, group in itertools.groupby(sorted(questions)) if len(list(group)) > 1]
