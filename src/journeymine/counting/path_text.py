"""Paths inside counts: text that keeps labels apart and sorts as the labels do."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import polars as pl

__all__ = ["END", "labels_of", "lists_of", "text_of", "text_order"]

Ints = npt.NDArray[np.int64]

END, _ESCAPE = "\x1f", "\x1b"
"""Written after each label of a path, and before either where a label holds one."""


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
    labels: Sequence[str], codes: npt.NDArray[np.uint32], lengths: npt.NDArray[np.integer], kept: npt.NDArray[np.bool_]
) -> pl.Series:
    """Lists of labels from codes into `labels`, those of all paths one after the other; null where not `kept`.

    Equal lists are equal to the byte: they are views of one table, of the labels that occur in the order of the alphabet.
    """
    import pyarrow as pa

    occurs = np.zeros(len(labels), dtype=bool)
    occurs[codes] = True
    table = sorted(label for label, there in zip(labels, occurs, strict=True) if there)
    place = {label: i for i, label in enumerate(table)}
    own = pl.Series([place.get(label) for label in labels], dtype=pl.UInt32)
    steps = pl.Series(table, dtype=pl.String).gather(own).gather(pl.Series(codes))
    offsets = np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
    # Polars takes views over as they are.
    views = steps.to_arrow(compat_level=pl.CompatLevel.newest())
    paths = pa.LargeListArray.from_arrays(offsets, views, mask=None if kept.all() else pa.array(~kept))
    return pl.Series(paths, dtype=pl.List(pl.String))


def text_order(labels: Sequence[str]) -> Ints:
    r"""Positions of labels in the order in which their texts sort.

    >>> text_order(["a", "b"]).tolist(), text_order(["a", "a\x01"]).tolist()
    ([0, 1], [1, 0])
    """
    texts = text_of(pl.Series([[label] for label in labels], dtype=pl.List(pl.String)))
    return texts.arg_sort().to_numpy().astype(np.int64)
