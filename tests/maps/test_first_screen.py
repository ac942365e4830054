from __future__ import annotations

from dataclasses import replace

from journeymine.maps.first_screen import key_figures, meta_line, worst_place
from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import bare_log


def test_the_four_figures_are_those_of_the_map(shop: MapSpecification) -> None:
    figures = {figure.label: figure for figure in key_figures(shop)}
    assert list(figures) == ["Reach order placed", "Worst place", "What it costs", "Mend first"]
    assert figures["Reach order placed"].value == "20.3\u00a0%"
    assert "36,904 mature journeys" in figures["Reach order placed"].detail
    assert figures["Worst place"].value == "purchase × app"
    assert figures["What it costs"].value == "€84,300"
    assert "€60,700 – €107,000" in figures["What it costs"].detail
    assert "App team" in figures["Mend first"].detail


def test_the_worst_place_costs_most_whatever_the_order(shop: MapSpecification) -> None:
    stakes = {d.value_at_stake.value: d for d in shop.drop_offs if d.value_at_stake}
    assert worst_place(shop) == stakes[max(value for value in stakes if value is not None)]
    assert worst_place(replace(shop, drop_offs=shop.drop_offs[::-1])) == worst_place(shop)


def test_without_money_the_cost_is_in_journeys(shop: MapSpecification) -> None:
    poor = replace(shop, drop_offs=tuple(replace(drop, value_at_stake=None) for drop in shop.drop_offs))
    figure = next(f for f in key_figures(poor) if f.label == "What it costs")
    assert figure.value.startswith(f"{max(d.n_lost or 0 for d in shop.drop_offs):,}")
    assert "nothing comparable" in figure.detail
    valueless = replace(poor, header=replace(poor.header, currency=""))
    assert "value column" in next(f for f in key_figures(valueless) if f.label == "What it costs").detail


def test_a_bare_log_claims_nothing() -> None:
    assert key_figures(bare_log()) == ()
    assert "1,930\u00a0journeys" in meta_line(bare_log())
