"""What the retailer's map says in words: feelings, findings, summary, examples, quality, method."""

from __future__ import annotations

from journeymine.maps.evidence import (
    Definition,
    Estimate,
    ExampleJourney,
    ExampleStep,
    FigureRef,
    QualityRow,
    Sentence,
)
from journeymine.maps.findings import (
    Emotion,
    EmotionPoint,
    MomentOfTruth,
    Opportunity,
    PainPoint,
    WrittenCell,
    WrittenRow,
)
from journeymine.maps.specification import Method


def emotion() -> Emotion:
    means = (
        ("awareness", 0.6, 300, 4100),
        ("consideration", 1.1, 900, 6100),
        ("purchase", -0.7, 1450, 6900),
        ("advocacy", 1.6, 120, 140),
    )
    points = [
        EmotionPoint(
            stage=s,
            n_answered=n,
            n_asked=asked,
            score=Estimate(value=m, lower=m - 4 / n**0.5, upper=m + 4 / n**0.5, n=n),
        )
        for s, m, n, asked in means
    ]
    points += [
        EmotionPoint(
            stage="purchase", touchpoint=t, n_answered=200, score=Estimate(value=m, lower=m - 0.3, upper=m + 0.3)
        )
        for t, m in (("payment error", -1.8), ("order placed", 0.9), ("order help call", -0.4))
    ]
    return Emotion(
        points=tuple(points),
        label="Satisfaction after contact, −2 to +2",
        note="Of those asked 17 % answered; answerers convert 1.3 times as often as the silent.",
    )


def findings() -> dict[str, tuple[object, ...]]:
    return {
        "pain_points": (
            PainPoint(
                rank=1,
                title="Payment error in the app checkout",
                stage="purchase",
                channel="app",
                owner="App team",
                touchpoint="payment error",
                n_journeys=2_100,
                effect=Estimate(value=-0.214, lower=-0.243, upper=-0.186),
                evidence="2,100 journeys meet it, 71 % of them in the week of 13 April; 34 % call next",
            ),
            PainPoint(
                rank=2,
                title="Two complaint calls or more",
                stage="retention",
                channel="call centre",
                owner="Service",
                n_journeys=310,
                effect=Estimate(value=-0.09, lower=-0.15, upper=-0.03),
                evidence="median wait 3 days",
            ),
        ),
        "moments_of_truth": (
            MomentOfTruth(
                rank=1,
                title="Reading a review before filling a basket",
                stage="consideration",
                channel="web",
                n_journeys=6_100,
                lift=Estimate(value=1.62, lower=1.51, upper=1.74),
                evidence="holds in every channel of entry",
            ),
        ),
        "opportunities": (
            Opportunity(
                rank=1,
                title="Stop the payment error in the app",
                owner="App team",
                stage="purchase",
                channel="app",
                value_at_stake=Estimate(value=84_300, lower=60_700, upper=107_000),
                evidence="as good as the web checkout: 41.2 % lost against 19.8 %",
            ),
            Opportunity(
                rank=2,
                title="Carry e-mail offers into the store",
                owner="CRM",
                stage="consideration",
                channel="email",
                value_at_stake=Estimate(value=31_900, lower=12_400, upper=50_800),
                evidence="a third of the hand-overs from e-mail to store end there",
            ),
            Opportunity(
                rank=3,
                title="Answer order calls the same day",
                owner="Service",
                stage="purchase",
                channel="call centre",
                value_at_stake=Estimate(value=12_700, lower=-1_900, upper=27_100),
                evidence="interval includes zero",
            ),
        ),
    }


def words() -> dict[str, object]:
    return {
        "written_rows": (
            WrittenRow(
                title="Customer's goal",
                cells=(
                    WrittenCell(stage="awareness", text="Find shoes that fit without trying ten pairs"),
                    WrittenCell(stage="consideration", text="Be sure about size and price"),
                    WrittenCell(stage="purchase", text="Pay in a minute, on the phone"),
                    WrittenCell(stage="retention", text="“Just tell me when it comes.”"),
                ),
            ),
        ),
        "summary": (
            Sentence(
                text="One journey in five ends in an order: 20.3 % (19.7–21.0 %).",
                figures=(FigureRef(label="conversion", ref="header"),),
            ),
            Sentence(
                text="The app loses 41.2 % of those who come to purchase there; the web loses 19.8 %.",
                figures=(FigureRef(label="drop-off", ref="drop_off:purchase|app"),),
            ),
            Sentence(
                text="A third of the customers that meet the payment error call the call centre next.",
                figures=(FigureRef(label="touchpoint", ref="node:app:payment error:purchase"),),
            ),
        ),
        "unknowns": (
            Sentence(text="4,730 journeys are still open; they count as not converted so far."),
            Sentence(text="Nobody was asked how they feel in retention."),
            Sentence(text="2,913 events have no channel.", figures=(FigureRef(label="data quality", ref="quality"),)),
        ),
        "examples": (
            ExampleJourney(
                id="J1",
                status="converted",
                steps=tuple(
                    ExampleStep(touchpoint=t, channel=c, stage=s, after_s=a)
                    for t, c, s, a in (
                        ("ad clicked", "paid search", "awareness", 0),
                        ("product viewed", "web", "consideration", 60),
                        ("basket filled", "app", "purchase", 90_000),
                        ("order placed", "app", "purchase", 90_400),
                    )
                ),
            ),
            ExampleJourney(
                id="J2",
                status="lost",
                steps=tuple(
                    ExampleStep(touchpoint=t, channel=c, stage=s, after_s=a)
                    for t, c, s, a in (
                        ("newsletter opened", "email", "awareness", 0),
                        ("product viewed", "app", "consideration", 4_000),
                        ("checkout started", "app", "purchase", 5_000),
                        ("payment error", "app", "purchase", 5_060),
                        ("order help call", "call centre", "purchase", 7_900),
                    )
                ),
            ),
        ),
        "quality": (
            QualityRow(what="rows read", n=412_377),
            QualityRow(what="accepted", n=409_464, share=0.9929),
            QualityRow(
                what="set aside: unparsable time", n=1_822, share=0.0044, level="watch", note="all in store.csv.gz"
            ),
            QualityRow(what="set aside: duplicate event id", n=1_091, share=0.0026),
            QualityRow(what="no channel", n=2_913, share=0.0071, level="watch"),
        ),
        "method": Method(
            definitions=(
                Definition(term="journey", text="a run of one person's steps that belong to one attempt at the goal"),
                Definition(term="lost here", text="lost, and the last step by the user is in this stage and channel"),
            ),
            intervals="95 % intervals, clustered by user through 64 folds (delete-a-group jackknife; Wilson for shares).",
            exclusions=("service journeys are outside conversion and drop-off",),
            versions=(Definition(term="journeymine", text="0.1.0"), Definition(term="polars", text="2.1.0")),
            call='journey_map(journeys, title="From first contact to a second order")',
        ),
    }
