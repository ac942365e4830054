"""Labels of a Parquet file as codes, taken from the dictionaries that it holds them in.

A column of a few labels is stored as a dictionary and small numbers. Reading it as strings, only to code those again,
costs ten times as much as reading the numbers.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from journeymine.events.coded import Codes, narrow
from journeymine.events.sources import LogFile
from journeymine.parallel import made_ahead, take

__all__ = ["ParquetLabels", "UnreadableLabelsError", "label_columns"]

_MOST_BYTES = 4
"""Bytes per row of a column whose dictionary is worth reading; labels that hardly repeat take more."""


class UnreadableLabelsError(Exception):
    """The dictionaries of a file cannot be read; whoever opened it says which file that is."""


def label_columns(file: LogFile) -> dict[str, str]:
    """The labels of `file` that are plain text columns of a local Parquet file with a dictionary; and their columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, path = file.schema, Path(file.path)
    declared = {"touchpoint": schema.touchpoint, "channel": schema.channel, "account": schema.account,
                **{name: name for name in schema.attributes}}  # fmt: skip
    text = {name: column for name, column in declared.items() if column and file.dtypes[column] == pl.String}
    if not text or not path.is_file():
        return {}
    try:
        metadata = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return {}  # whoever reads the rest will say what is wrong with it
    if not metadata.num_row_groups:
        return {}
    first = metadata.row_group(0)
    stored = {chunk.path_in_schema: chunk for chunk in (first.column(i) for i in range(first.num_columns))}
    return {
        name: column
        for name, column in text.items()
        if (chunk := stored.get(column)) is not None
        and chunk.has_dictionary_page
        and chunk.total_uncompressed_size <= _MOST_BYTES * max(first.num_rows, 1)
    }


class ParquetLabels:
    """Codes of some label columns, row after row.

    Parameters
    ----------
    columns : what `label_columns` found.
    categories : per label, the pool that gives out codes, shared by all files.
    """

    def __init__(self, file: LogFile, columns: Mapping[str, str], categories: Mapping[str, pl.Categories]) -> None:
        self._columns = dict(columns)
        self._categories = categories
        self._groups = made_ahead(self._row_groups(file.path))
        self._held: dict[str, Codes] = {name: np.zeros(0, dtype=np.uint8) for name in columns}

    def read(self, n: int) -> dict[str, Codes]:
        """Codes of the next `n` rows: 0 for null or empty text, any other is one more than the category's.

        Raises
        ------
        UnreadableLabelsError, OSError : the file cannot be read.
        """
        if not self._columns:
            return {}
        pieces = {name: [codes] for name, codes in self._held.items()}
        n_held = len(next(iter(self._held.values())))
        while n_held < n:
            group = next(self._groups, None)
            if group is None:
                raise UnreadableLabelsError("its columns are of different lengths")
            for name, codes in group.items():
                pieces[name].append(codes)
            n_held = sum(map(len, next(iter(pieces.values()))))
        together = {name: np.concatenate(each) if len(each) > 1 else each[0] for name, each in pieces.items()}
        self._held = {name: codes[n:] for name, codes in together.items()}
        return {name: codes[:n] for name, codes in together.items()}

    def close(self) -> None:
        """Let go of the file; to be called whether all was read or not."""
        self._groups.close()

    def _row_groups(self, path: str) -> Generator[dict[str, Codes]]:
        import pyarrow as pa
        import pyarrow.parquet as pq

        columns = list(dict.fromkeys(self._columns.values()))
        with pq.ParquetFile(path, read_dictionary=columns) as file:
            for group in range(file.num_row_groups):
                try:
                    table = file.read_row_group(group, columns=columns, use_threads=False)
                except pa.ArrowException as error:
                    raise UnreadableLabelsError(str(error)) from error
                yield {
                    name: np.concatenate([np.zeros(0, np.uint8), *(self._code(name, c) for c in table[column].chunks)])
                    for name, column in self._columns.items()
                }

    def _code(self, name: str, chunk: Any) -> Codes:
        known = pl.Series(name, chunk.dictionary, dtype=pl.String)
        code = known.cast(pl.Categorical(self._categories[name])).to_physical().to_numpy().astype(np.int64) + 1
        code[known.str.len_bytes().to_numpy() == 0] = 0
        lookup = narrow(np.append(code, 0), int(code.max(initial=0)) + 1)  # null is the last of them
        indices = chunk.indices.fill_null(len(code)) if chunk.null_count else chunk.indices
        return take(lookup, indices.to_numpy())
