"""Paths inside counts: text that keeps labels apart and sorts as the labels do."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from journeymine.parallel import on_all_cores

__all__ = ["END", "labels_of", "lists_of", "text_of", "text_order"]

Ints = npt.NDArray[np.int64]
_BLOCK = 1 << 16
_VIEW = np.dtype("V16")
"""A text as Arrow refers to it: its length, and itself or where it stands."""

END, _ESCAPE = "\x1f", "\x1b"
"""Written after each label of a path, and before either where a label holds one."""
_NOT_ABOVE = re.compile(r"[\x00-\x1f]")
"""Labels without such characters sort as their texts do."""


def text_of(paths: pl.Series) -> pl.Series:
    r"""Lists of labels as text; null stays null.

    >>> text_of(pl.Series([["ad", "shop"], None])).to_list()
    ['ad\x1fshop\x1f', None]
    """
    labels = paths.explode()
    if labels.str.contains_any([END, _ESCAPE]).any():
        paths = paths.list.eval(
            pl.element()
            .str.replace_all(_ESCAPE, f"{_ESCAPE}0", literal=True)
            .str.replace_all(END, f"{_ESCAPE}1", literal=True)
        )
    return paths.list.join(END) + END


def labels_of(text: pl.Series) -> pl.Series:
    r"""Lists of labels from their text.

    >>> labels_of(text_of(pl.Series([["a\x1f", "\x1b1"], ["b"]]))).to_list()
    [['a\x1f', '\x1b1'], ['b']]
    """
    split = text.str.strip_suffix(END).str.split(END)
    spelled = split.explode().drop_nulls()
    texts = spelled.unique().sort()
    codes = spelled.cast(pl.Enum(texts)).to_physical().cast(pl.UInt32).to_numpy()
    labels = texts.str.replace_all(f"{_ESCAPE}1", END, literal=True)
    labels = labels.str.replace_all(f"{_ESCAPE}0", _ESCAPE, literal=True)
    return lists_of(labels.to_list(), codes, split.list.len().fill_null(0).to_numpy(), text.is_not_null().to_numpy())


def lists_of(
    labels: Sequence[str],
    codes: npt.NDArray[np.unsignedinteger],
    lengths: npt.NDArray[np.integer],
    kept: npt.NDArray[np.bool_],
) -> pl.Series:
    """Lists of labels from codes into `labels`, those of all paths one after the other; null where not `kept`.

    Equal lists are equal to the byte: they are views of one table, of the labels that occur in the order of the
    alphabet.
    """
    import pyarrow as pa

    occurs = _occurring(codes, len(labels))
    table = sorted(label for label, there in zip(labels, occurs, strict=True) if there)
    place = {label: i for i, label in enumerate(table)}
    own = pl.Series([place.get(label) for label in labels], dtype=pl.UInt32)
    views = pl.Series(table, dtype=pl.String).gather(own).to_arrow(compat_level=pl.CompatLevel.newest())
    _, of_label, *texts = views.buffers()
    steps = _taken(np.frombuffer(of_label, dtype=_VIEW), codes)
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
    # Polars takes views over as they are.
    spelled = pa.Array.from_buffers(views.type, len(codes), [None, pa.py_buffer(steps), *texts])
    paths = pa.LargeListArray.from_arrays(offsets, spelled, mask=None if kept.all() else pa.array(~kept))
    return pl.Series(paths, dtype=pl.List(pl.String))


def _occurring(codes: npt.NDArray[np.unsignedinteger], n_labels: int) -> npt.NDArray[np.bool_]:
    """Which labels there are."""
    occurs = np.zeros(n_labels, dtype=bool)
    for low in range(0, len(codes), _BLOCK):
        occurs[codes[low : low + _BLOCK]] = True
        if occurs.all():  # as a rule the first few tell
            break
    return occurs


def _taken(values: npt.NDArray[Any], codes: npt.NDArray[np.unsignedinteger]) -> npt.NDArray[Any]:
    """``values[codes]``, on all cores."""
    found = np.empty(len(codes), dtype=values.dtype)

    def block(low: int) -> None:
        there = slice(low, low + _BLOCK)
        np.take(values, codes[there].astype(np.intp), out=found[there], mode="clip")

    on_all_cores(block, range(0, len(codes), _BLOCK))
    return found


def text_order(labels: Sequence[str]) -> Ints:
    r"""Positions of labels in the order in which their texts sort.

    >>> text_order(["a", "b"]).tolist(), text_order(["a", "a\x01"]).tolist()
    ([0, 1], [1, 0])
    """
    if not _NOT_ABOVE.search("".join(labels)):
        return np.array(sorted(range(len(labels)), key=labels.__getitem__), dtype=np.int64)
    texts = text_of(pl.Series([[label] for label in labels], dtype=pl.List(pl.String)))
    return texts.arg_sort().to_numpy().astype(np.int64)
