from __future__ import annotations

from dataclasses import replace

from journeymine.maps.evidence import WITHHELD, Estimate, Filtered, Hint
from journeymine.maps.first_screen import key_figures, meta_line, worst_place
from journeymine.maps.specification import MapSpecification
from tests.maps.fixtures import bare_log


def test_the_four_figures_are_those_of_the_map(shop: MapSpecification) -> None:
    figures = {figure.label: figure for figure in key_figures(shop)}
    assert list(figures) == ["Reach order placed", "Worst place shown", "What it costs", "Mend first"]
    assert figures["Reach order placed"].value == "20.3\u00a0%"
    assert "36,904 mature journeys" in figures["Reach order placed"].detail
    assert figures["Worst place shown"].value == "purchase × app"
    assert figures["What it costs"].value == "€84,300"
    assert "€60,700 – €107,000" in figures["What it costs"].detail
    assert "App team" in figures["Mend first"].detail


def test_the_worst_place_costs_most_whatever_the_order(shop: MapSpecification) -> None:
    stakes = {d.value_at_stake.value: d for d in shop.drop_offs if d.value_at_stake}
    assert worst_place(shop) == stakes[max(value for value in stakes if value is not None)]
    assert worst_place(replace(shop, drop_offs=shop.drop_offs[::-1])) == worst_place(shop)


def test_a_place_that_surely_costs_something_is_worse_than_one_that_may_cost_more(shop: MapSpecification) -> None:
    dear = worst_place(shop)
    sure = next(drop for drop in shop.drop_offs if drop != dear and drop.value_at_stake)
    drops = tuple(replace(drop, significant=drop is sure) for drop in shop.drop_offs)
    assert worst_place(replace(shop, drop_offs=drops)) == replace(sure, significant=True)


def test_where_nothing_is_sure_the_place_that_most_are_lost_at_is_called_so(shop: MapSpecification) -> None:
    drops = tuple(replace(drop, significant=False) for drop in shop.drop_offs)
    most = max(shop.drop_offs, key=lambda drop: drop.n_lost or 0)
    lost = sum(drop.n_lost or 0 for drop in shop.drop_offs)
    for n_lost, label in ((lost, "Most lost at"), (None, "Many lost at")):
        figure = key_figures(replace(shop, drop_offs=drops, header=replace(shop.header, n_lost=n_lost)))[1]
        assert (figure.label, figure.value) == (label, f"{most.stage} × {most.channel}")
        assert figure.tone == "", "what may be luck is not drawn in red"
    assert key_figures(shop)[1].tone == "loss"


def test_a_place_whose_losses_are_by_definition_is_told_so(shop: MapSpecification) -> None:
    worst = worst_place(shop)
    for significant in (True, False):
        drops = tuple(
            replace(
                drop, significant=significant, by_definition=True, n_lost=(drop.n_lost or 0) + 10**6 * (drop is worst)
            )
            for drop in shop.drop_offs
        )
        figure = key_figures(replace(shop, drop_offs=drops))[1]
        assert figure.value == "purchase × app"
        assert figure.detail.endswith("of those who come, most by definition (lost_at)")
    assert "by definition" not in key_figures(shop)[1].detail


def test_without_money_the_cost_is_in_journeys(shop: MapSpecification) -> None:
    poor = replace(shop, drop_offs=tuple(replace(drop, value_at_stake=None) for drop in shop.drop_offs))
    figure = next(f for f in key_figures(poor) if f.label == "What it may cost")
    assert figure.value.startswith(f"{max(d.n_lost or 0 for d in shop.drop_offs):,}")
    assert "nothing comparable" in figure.detail
    valueless = replace(poor, hints=(Hint(row="value", text="name a value column"),))
    assert "value column" in next(f for f in key_figures(valueless) if f.label == "What it may cost").detail


def test_a_place_is_the_worst_only_where_none_that_is_not_shown_can_lose_more(shop: MapSpecification) -> None:
    shown = sum(drop.n_lost or 0 for drop in shop.drop_offs)
    worst = worst_place(shop)
    assert worst is not None
    assert worst.n_lost is not None
    for n_lost, label in ((shown, "Worst place"), (shown + worst.n_lost, "Worst place"),
                          (shown + worst.n_lost + 1, "Worst place shown"), (None, "Worst place shown")):  # fmt: skip
        figures = key_figures(replace(shop, header=replace(shop.header, n_lost=n_lost)))
        assert [figure.label for figure in figures][1] == label


def test_the_cost_in_journeys_is_part_of_all_that_are_lost_shown_or_not(shop: MapSpecification) -> None:
    place = replace(shop.drop_offs[0], n_lost=150, value_at_stake=None)
    few = replace(shop, drop_offs=(place,), header=replace(shop.header, n_lost=600))
    cost = next(f for f in key_figures(few) if f.label == "What it may cost")
    assert cost.detail.startswith("25.0\u00a0% of all 600 lost; ")
    withheld = replace(place, value_at_stake=Estimate(value=None, reason=WITHHELD))
    cost = next(f for f in key_figures(replace(few, drop_offs=(withheld,))) if f.label == "What it may cost")
    assert cost.detail.endswith(f"; the money is {WITHHELD}")
    unknown = replace(few, header=replace(few.header, n_lost=None))
    assert "lost" not in next(f for f in key_figures(unknown) if f.label == "What it may cost").detail


def test_a_stake_that_is_not_in_the_list_may_be_chance(shop: MapSpecification) -> None:
    sure = ("What it costs", "loss", "there; 95")
    unsure = ("What it may cost", "", "there, may be chance; 95")
    for significant, (label, tone, words) in ((True, sure), (None, sure), (False, unsure)):
        drops = tuple(replace(drop, significant=significant) for drop in shop.drop_offs)
        cost = key_figures(replace(shop, drop_offs=drops))[2]
        assert (cost.label, cost.tone) == (label, tone)
        assert words in cost.detail


def test_shares_leave_out_service_journeys_the_picture_does_not(shop: MapSpecification) -> None:
    served = replace(shop, header=replace(shop.header, filtered=(Filtered(what="service journeys", n_journeys=14),)))
    assert "shares leave out 14 service journeys" in meta_line(served)


def test_a_bare_log_claims_nothing() -> None:
    assert key_figures(bare_log()) == ()
    assert "1,930\u00a0journeys" in meta_line(bare_log())
