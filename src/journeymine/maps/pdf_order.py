"""Put the objects of a PDF into a fixed order, so that the same drawing gives the same bytes.

The converter keeps graphics states and fonts in hash maps, whose order changes from call to call: the objects are the
same, their order and numbers are not. Here named references are sorted, objects are numbered in the order in which they
are reached from the root, and the cross-reference table is written anew (ISO 32000-1, 7.5.4). Streams are never
touched.
"""

from __future__ import annotations

import re

__all__ = ["fixed_order"]

_REFERENCE = re.compile(rb"(\d+) 0 R\b")
_NAMED_RUN = re.compile(rb"(?:^[ ]*/\w+ \d+ 0 R\n)+", re.MULTILINE)
_TABLE = re.compile(rb"xref\s+0 (\d+)\s+((?:\d{10} \d{5} [fn]\s+)+)trailer")


def fixed_order(pdf: bytes) -> bytes:
    """Return the same document with its objects in a fixed order; one of another build comes back as it is."""
    table, root = _TABLE.search(pdf), re.search(rb"/Root (\d+) 0 R", pdf)
    if table is None or root is None:
        return pdf
    objects = _objects(pdf, table)
    info = re.search(rb"/Info (\d+) 0 R", pdf[table.end() :])
    starts = [int(root[1]), *([int(info[1])] if info else [])]
    order = _reached(objects, starts)
    number = {old: new for new, old in enumerate(order, start=1)}
    out = bytearray(pdf[: pdf.index(b" 0 obj")].rpartition(b"\n")[0] + b"\n")
    offsets = []
    for old in order:
        head, stream = objects[old]
        offsets.append(len(out))
        out += b"%d 0 obj" % number[old] + _renumber(head, number) + stream
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f\r\n" % (len(order) + 1)
    out += b"".join(b"%010d 00000 n\r\n" % offset for offset in offsets)
    entries = b"".join(
        b"  /%s %d 0 R\n" % (name, number[old]) for name, old in zip((b"Root", b"Info"), starts, strict=False)
    )
    out += b"trailer\n<<\n  /Size %d\n%s>>\nstartxref\n%d\n%%%%EOF" % (len(order) + 1, entries, start)
    return bytes(out)


def _objects(pdf: bytes, table: re.Match[bytes]) -> dict[int, tuple[bytes, bytes]]:
    """Split every object into its dictionary (named references sorted) and its stream, if it has one."""
    offsets = [int(entry[:10]) for entry in re.findall(rb"\d{10} \d{5} [fn]", table[2])]
    ends = sorted({*offsets[1:], table.start()})
    objects = {}
    for old, offset in enumerate(offsets):
        if old == 0:
            continue
        body = pdf[offset : ends[ends.index(offset) + 1]].partition(b" 0 obj")[2]
        head, found, rest = body.partition(b"\nstream")
        objects[old] = (_NAMED_RUN.sub(_sorted_run, head), found + rest)
    return objects


def _sorted_run(run: re.Match[bytes]) -> bytes:
    return b"".join(sorted(run[0].splitlines(keepends=True), key=lambda line: bytes(line).split()[0]))


def _reached(objects: dict[int, tuple[bytes, bytes]], starts: list[int]) -> list[int]:
    """Number objects depth first, in the order of the references to them."""
    order: dict[int, None] = {}
    stack = starts[::-1]
    while stack:
        old = stack.pop()
        if old in order:
            continue
        order[old] = None
        stack.extend(int(found) for found in reversed(_REFERENCE.findall(objects[old][0])))
    return list(order)


def _renumber(head: bytes, number: dict[int, int]) -> bytes:
    return _REFERENCE.sub(lambda found: b"%d 0 R" % number[int(found[1])], head)
