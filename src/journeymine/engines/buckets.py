"""Counting a log larger than memory: users hashed into files on disk, each counted by itself, the counts merged."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import hashlib
import importlib.metadata
import json
import math
import re
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from journeymine.counting.counts import Basis, Counts
from journeymine.counting.measure import Measure, check_questions, question_of
from journeymine.engines.bucket_store import BucketStore, locked
from journeymine.engines.mine import Counted, Progress
from journeymine.engines.part import PartPlan, count_part
from journeymine.engines.partition import BucketFiles, partition
from journeymine.engines.tally import LogTally
from journeymine.engines.whole import check_after, check_before, check_times, report_of
from journeymine.errors import EngineError, QuestionError
from journeymine.events.log import Events
from journeymine.journeys.building import context_of, rules_of
from journeymine.journeys.context import n_latest
from journeymine.journeys.facts import declared_labels
from journeymine.journeys.rules import JourneyRules

__all__ = ["Buckets"]

MOST_BUCKETS = 512
"""Each is an open file while the log is partitioned, and systems allow 1,024 of those."""

_BASELINE = 350 << 20
"""Bytes that the process holds before any event: Python, Polars, and what streams through while partitioning."""

_PER_EVENT, _PER_NUMBER = 180, 24
"""Bytes at the peak of counting a bucket, per event and per further number or label column of it; measured."""

_MERGED_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Buckets:
    """The engine for logs larger than memory: ``mine(events, measures, engine=Buckets("work"))``.

    It writes the events to files on disk, each user's into one of them, and counts file after file.

    Parameters
    ----------
    directory : where the files (buckets) are written: a directory of its own. They take about 20 bytes per event. What
        a killed run finished there is used by the next. By default a temporary one; a kill leaves it behind, and no
        later run uses it.
    n_buckets : number of parts that the users are split into. By default as many as `memory` asks for.
    memory : resident memory to stay under, as a number of bytes or ``"1 GiB"``. The events of one user are never split,
        so one user's events must fit.
    keep : True keeps the buckets and counts when done, so that further measures on the same log need not partition
        again.

    Raises
    ------
    EngineError : when used: the directory is not ours, is in use by another process, or cannot be written; or the log
        changed while it was read.
    """

    directory: Path | str | None = None
    n_buckets: int | None = None
    memory: int | str = "1 GiB"
    keep: bool = False
    _memory: int = field(init=False, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_memory", bytes_of(self.memory))
        if self.directory is not None and not isinstance(self.directory, str | Path):
            raise QuestionError(f"directory={self.directory!r}", hint="give the path of a directory, or leave it out")
        n: Any = self.n_buckets
        if n is not None and not (isinstance(n, int) and 1 <= n <= MOST_BUCKETS):
            raise QuestionError(f"n_buckets={n!r}", hint=f"give a number from 1 to {MOST_BUCKETS}")
        if self.keep and self.directory is None:
            raise QuestionError("keep=True needs a directory to keep", hint="Buckets('directory', keep=True)")

    def count(
        self,
        source: Any,
        measures: Sequence[Measure],
        rules: JourneyRules | None,
        rule_fields: Mapping[str, Any],
        progress: Progress,
    ) -> Counted:
        """Count each measure over the whole source, bucket after bucket."""
        if not isinstance(source, Events):
            raise QuestionError(
                f"buckets are made from Events, not from a {type(source).__name__}",
                hint="give what read_events returned",
            )
        chosen = rules_of(source, rules, dict(rule_fields))
        progress("looking the log over", 0.0)
        check_before(source)
        context = context_of(source, chosen)
        fingerprint = fingerprint_of(source)
        with _place(self.directory) as directory, locked(directory):
            store = BucketStore(directory, fingerprint)
            try:
                files = self._partitioned(source, store, progress)
            except EngineError as error:  # a file exchanged while it was read looks like a broken one
                _check_unchanged(source, fingerprint, store, error)
                raise
            _check_unchanged(source, fingerprint, store)
            check_questions(measures, {**files.labels, **declared_labels(source.stages)})
            plan = PartPlan(
                chosen, context, source.stages, source.rules, files.labels, source.numbers,
                source.tie_breaks, n_latest(sum(source.survey().usable)),
            )  # fmt: skip
            check_times(source, chosen, files.latest)
            counts, tally = _count_buckets(store, files, measures, plan, progress)
            check_after(source, chosen, tally)
            if not self.keep:
                store.remove()
        progress("counted", 1.0)
        known = source.identity()
        ids = (len(known.users), len(known.ambiguous)) if known is not None else (0, 0)
        return Counted(counts, context, lambda: report_of(source, tally, ids))

    def _partitioned(self, events: Events, store: BucketStore, progress: Progress) -> BucketFiles:
        """The bucket files of an earlier run, or new ones."""
        saved = store.partition()
        if saved is not None:
            files = BucketFiles.from_data(saved)
            if self.n_buckets in (None, len(files.buckets)):
                return files
        store.clear()
        n_buckets = self.n_buckets or self._fitting(events)
        files = partition(events, n_buckets, store.events, lambda done: progress("writing buckets", 0.05 + 0.35 * done))
        store.save_partition(files.to_data())
        return files

    def _fitting(self, events: Events) -> int:
        """So many buckets that one of them is counted within the memory allowed."""
        per_event = _PER_EVENT + _PER_NUMBER * (len(events.numbers) + len(events.labels) - 1)
        room = max(self._memory - _BASELINE, 64 << 20)
        return min(MOST_BUCKETS, max(1, math.ceil(sum(events.survey().usable) * per_event / room)))


def _check_unchanged(source: Events, fingerprint: str, store: BucketStore, cause: EngineError | None = None) -> None:
    if fingerprint_of(source, fingerprint) != fingerprint:
        store.clear()
        raise EngineError("the log changed while it was read", hint="count again when nothing writes to it") from cause


def _count_buckets(
    store: BucketStore, files: BucketFiles, measures: Sequence[Measure], plan: PartPlan, progress: Progress
) -> tuple[list[Counts], LogTally]:
    """Count bucket after bucket, each into files of its own, then merge."""
    keys = [_key(measure, plan) for measure in measures]
    log = _key(None, plan)
    there = [bucket for bucket, names in enumerate(files.buckets) if names]
    for done, bucket in enumerate(there):
        progress(f"counting bucket {done + 1} of {len(there)}", 0.4 + 0.55 * done / len(there))
        left = [(key, m) for key, m in zip(keys, measures, strict=True) if store.counted(key, bucket) is None]
        if not left and store.counted(log, bucket) is not None:
            continue
        counts, tally = count_part(files.read(store.events, bucket), [measure for _, measure in left], plan)
        writers: dict[str, Callable[[Path], object]] = {
            key: part.save for (key, _), part in zip(left, counts, strict=True)
        }
        writers[log] = functools.partial(_save_tally, tally)
        store.save_counted(bucket, writers)
        del counts
        _give_back_memory()
    progress("merging counts", 0.95)
    tallies = [LogTally.from_json((_folder(store, log, b) / _TALLY).read_text(encoding="utf-8")) for b in there]
    return (
        [_merged(store, key, measure, there) for key, measure in zip(keys, measures, strict=True)],
        LogTally.merge(tallies, plan.n_latest),
    )


def _give_back_memory() -> None:
    """Hand freed memory to the system, where the C library keeps it: bucket after bucket would pile up otherwise."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


_TALLY = "tally.json"


def _save_tally(tally: LogTally, folder: Path) -> None:
    (folder / _TALLY).write_text(tally.to_json(), encoding="utf-8")


def _folder(store: BucketStore, key: str, bucket: int) -> Path:
    folder = store.counted(key, bucket)
    if folder is None:
        raise EngineError(f"counts of bucket {bucket} were changed by somebody else", hint="count again")
    return folder


def _merged(store: BucketStore, key: str, measure: Measure, buckets: Sequence[int]) -> Counts:
    """Counts of a measure over all buckets; few of them are in memory at a time."""
    specs = measure.specs()
    whole: list[Counts] = []
    for bucket in buckets:
        whole.append(Counts.load(_folder(store, key, bucket), specs))
        if len(whole) >= _MERGED_AT_ONCE:
            whole = [Counts.merge(whole)]
    return Counts.merge(whole)


def _key(measure: Measure | None, plan: PartPlan) -> str:
    """Name of a question under these rules and bounds; of the tally of the log without a question."""
    basis = Basis(plan.rules, plan.context, plan.stages.names if plan.stages else ())
    about = {
        "version": _version(),
        "basis": basis.to_data(),
        "stages": plan.stages.to_toml() if plan.stages else "",
        "question": None if measure is None else [question_of(measure), measure.schema_version],
    }
    return _digest(about)[:16]


def fingerprint_of(events: Events, before: str = "") -> str:
    """Fingerprint of the files of a log and of how they are read.

    What is no file on disk cannot be recognised when a process starts again: it gets a fingerprint that is never met
    twice, and keeps `before` within one run.
    """
    about: list[Any] = []
    for name, schema in zip(events.files, events.schemas, strict=True):
        path = Path(name)
        if not path.is_file():
            return before or secrets.token_hex(32)
        stat = path.stat()
        about.append([str(path.resolve()), stat.st_size, stat.st_mtime_ns, schema.to_toml()])
    return _digest([_version(), events.sources, events.rules.never_before, about])


def _version() -> str:
    """The version of this library: another one may count otherwise."""
    try:
        return importlib.metadata.version("journeymine")
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _digest(data: Any) -> str:
    text = json.dumps(data, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


@contextlib.contextmanager
def _place(directory: Path | str | None) -> Iterator[Path]:
    """The directory asked for, or a temporary one; one that was made here and is empty in the end goes again."""
    if directory is None:
        with tempfile.TemporaryDirectory(prefix="journeymine-") as made:
            yield Path(made) / "buckets"
        return
    path = Path(directory)
    made_here = not path.exists()
    yield path
    if made_here:
        with contextlib.suppress(OSError):
            path.rmdir()


_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}


def bytes_of(memory: int | str) -> int:
    """Bytes in ``"1.5 GiB"``, ``"800 MB"`` or a plain number of bytes.

    >>> bytes_of("1.5 GiB"), bytes_of(1_000_000_000)
    (1610612736, 1000000000)
    """
    if isinstance(memory, int) and not isinstance(memory, bool) and memory > 0:
        return memory
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", str(memory).lower())
    if not isinstance(memory, str) or found is None or found[2] not in _UNITS or float(found[1]) <= 0:
        raise QuestionError(f"memory={memory!r} is no amount of memory", hint="e.g. memory='2 GiB'")
    return int(float(found[1]) * _UNITS[found[2]])
