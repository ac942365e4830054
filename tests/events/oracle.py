"""The rules of the events room once more, as plain Python loops over rows: slow, obvious, and written apart."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FIRST = datetime(1900, 1, 1, tzinfo=UTC)
END = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass
class Read:
    """What should come out."""

    accepted: list[dict[str, Any]] = field(default_factory=list)
    quarantine: list[tuple[int, str]] = field(default_factory=list)


def row_fault(row: dict[str, Any]) -> str | None:
    """Why a raw row of milliseconds, text values and a 1-5 score cannot be used in itself."""
    if not row["user"] and not row.get("cookie"):
        return "user missing"
    if row["ms"] is None:
        return "timestamp missing"
    try:
        instant = EPOCH + timedelta(milliseconds=row["ms"])
    except OverflowError:
        return "timestamp out of range"
    if not FIRST <= instant < END:
        return "timestamp out of range"
    if not row["what"]:
        return "touchpoint missing"
    return value_fault(row["revenue"]) or score_fault(row["score"])


def value_fault(text: str | None) -> str | None:
    if text is None or not text.strip():
        return None
    try:
        number = float(text)
    except ValueError:
        return "value unparsable"
    if not math.isfinite(number):
        return "value not finite"
    return "value out of range" if abs(number) > 9e12 else None


def score_fault(score: float | None) -> str | None:
    if score is None:
        return None
    if not math.isfinite(score):
        return "satisfaction not finite"
    return None if 1 <= score <= 5 else "satisfaction outside its scale"


def read_rows(rows: list[dict[str, Any]], never_before: list[tuple[str, str]]) -> Read:
    """Judge every row, then stitch identities, then judge whole users."""
    reasons = [row_fault(row) for row in rows]
    users_of: dict[str, set[str]] = defaultdict(set)
    for row, reason in zip(rows, reasons, strict=True):
        if reason is None and row["user"] and row["cookie"]:
            users_of[row["cookie"]].add(row["user"])
    users = [_user(row, users_of) if reason is None else "" for row, reason in zip(rows, reasons, strict=True)]
    seen: set[tuple[str, str]] = set()
    for i, row in enumerate(rows):
        if reasons[i] is None and row["id"]:
            if (users[i], row["id"]) in seen:
                reasons[i] = "duplicate event_id"
            seen.add((users[i], row["id"]))
    broken: dict[int, str] = {}
    for late, early in never_before:
        for i, row in enumerate(rows):
            if reasons[i] is not None or row["what"] != late or i in broken:
                continue
            firsts = [
                other["ms"]
                for j, other in enumerate(rows)
                if reasons[j] is None and users[j] == users[i] and other["what"] == early
            ]
            if firsts and row["ms"] < min(firsts):
                broken[i] = f"rule broken: {late} before {early}"
    result = Read()
    for i, row in enumerate(rows):
        reason = reasons[i] or broken.get(i)
        if reason is not None:
            result.quarantine.append((i, reason))
            continue
        result.accepted.append(
            {
                "user": users[i],
                "timestamp": EPOCH + timedelta(milliseconds=row["ms"]),
                "touchpoint": row["what"],
                "channel": row["where"] or "(unknown)",
                "value": round(float(row["revenue"]) * 1e6) / 1e6 if (row["revenue"] or "").strip() else None,
                "satisfaction": row["score"],
            }
        )
    return result


def _user(row: dict[str, Any], users_of: dict[str, set[str]]) -> str:
    if row["user"]:
        return _quoted(row["user"])
    owners = users_of.get(row["cookie"], set())
    return _quoted(next(iter(owners))) if len(owners) == 1 else "anonymous:" + row["cookie"]


def _quoted(user: str) -> str:
    return '"' + user if user.lstrip('"').startswith("anonymous:") else user
