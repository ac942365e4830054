from __future__ import annotations

import pytest

from tests import parts


@pytest.fixture
def without_chromium(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "chromium_path", lambda: None)


def test_a_missing_part_skips_and_names_what_is_missing(
    without_chromium: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("JOURNEYMINE_REQUIRE_ALL", raising=False)
    with pytest.raises(pytest.skip.Exception, match="Chromium"):
        parts.require_part("browser")


def test_a_missing_part_fails_where_all_are_required(without_chromium: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JOURNEYMINE_REQUIRE_ALL", "1")
    with pytest.raises(pytest.fail.Exception, match="Chromium"):
        parts.require_part("browser")


def test_an_unknown_part_is_a_mistake_of_the_test() -> None:
    with pytest.raises(KeyError):
        parts.require_part("mainframe")
