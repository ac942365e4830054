"""Parts hold whole users, about as many steps as asked for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.oracles.logs import Row, build, logs, rule_fields


@given(log=logs, fields=rule_fields(), n_steps=st.integers(1, 30))
def test_a_part_ends_with_the_user_whose_steps_reach_the_next_multiple(
    log: tuple[Row, ...], fields: dict[str, Any], n_steps: int
) -> None:
    whole = build(log, **fields)
    expected: list[list[str]] = []
    seen, room = 0, 0
    n_of_user = dict.fromkeys(whole.users, 0)
    for user, n in zip(whole.heads.user.tolist(), whole.lengths.tolist(), strict=True):
        n_of_user[whole.users[user]] += n
    for user, n in n_of_user.items():
        if seen >= room:
            expected.append([])
            room = (seen // n_steps + 1) * n_steps
        expected[-1].append(user)
        seen += n
    parts = [part for part in whole.parts(n_steps) if len(part)]
    assert [part.users.to_list() for part in parts] == expected
    assert [n for part in parts for n in part.lengths.tolist()] == whole.lengths.tolist()
