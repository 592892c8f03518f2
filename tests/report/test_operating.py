"""Tables of operating points, prevalence, calibration and reliability."""

from dataclasses import replace

from skinbench.records import Confusion, Score, Scorecard
from skinbench.records.operating import (
    AtPrevalence,
    Calibrated,
    Estimate,
    OperatingPoint,
    Reliability,
    Threshold,
)
from skinbench.report.operating import decision_tables, focus_table


def score(metric, value, low=None, high=None, class_="mel", reason=""):
    return Estimate(
        metric=metric, class_=class_, value=value, low=low, high=high, n=100, reason=reason
    )


METRICS = ("recall", "specificity", "precision", "negative_predictive_value", "accuracy")
POINT = OperatingPoint(
    row="a",
    dataset="ham",
    class_="mel",
    policy="recall 0.9 on val",
    thresholds=(
        Threshold(fold=0, seed=0, value=0.1, n=50, n_positive=7),
        Threshold(fold=1, seed=0, value=0.3, n=50, n_positive=5),
    ),
    scores=tuple(score(name, 0.9, 0.8, 0.95) for name in METRICS),
    changes=tuple(score(name, 0.2, 0.1, 0.3) for name in METRICS),
    flagged_per_hit=score("flagged_per_hit", 4.25, 3, 6),
)
RELIABLE = Reliability(
    row="a", dataset="ham", seed=0, class_=None, bins=(), error=0.1, expected=0.03,
    expected_high=0.05, n=100,
)  # fmt: skip


def tables(**parts):
    card = Scorecard(
        suite="s", level=0.95, replicates=100, datasets={}, splits={}, rows=(), cells=(),
        scores=(), confusions=(), **parts,
    )  # fmt: skip
    return {table.name: table for table in decision_tables(card)}


def texts(line):
    return [entry.text for entry in line]


def test_nothing_asked_for_is_no_table():
    assert tables() == {}


def test_a_point_shows_its_threshold_its_scores_and_what_it_changes():
    (line,) = tables(operating=(POINT,))["operating"].rows
    assert texts(line) == [
        "a", "mel: recall 0.9 on val", "0.100 to 0.300", "0.900", "0.900", "4.25", "0.900", "",
    ]  # fmt: skip
    assert line[2].why == "5 val images of it"
    assert (line[3].detail, line[3].why) == ("[0.800, 0.950]", "+0.200")


def test_a_point_that_val_cannot_choose_says_why_in_place_of_numbers():
    none = OperatingPoint(
        row="a", dataset="ham", class_="mel", policy="Youden's J on val", thresholds=(),
        reason="no val images to choose it on",
    )  # fmt: skip
    never = replace(POINT, thresholds=(Threshold(fold=0, seed=0, value=2.0, n_positive=3),))
    first, second = tables(operating=(none, never))["operating"].rows
    assert first[2].why == "no val images to choose it on"
    assert len(first) == len(second) == 8
    assert second[2].text == "none reaches it"


def test_altered_images_are_counted_and_left_to_the_scorecard():
    altered = [replace(POINT, condition=f"blur@{n}") for n in (1, 2)]
    found = tables(
        operating=(POINT, *altered), reliability=(RELIABLE, replace(RELIABLE, condition="blur@1"))
    )
    assert len(found["operating"].rows) == len(found["reliability"].rows) == 1
    assert "Of altered images there are 2 further lines, in scorecard.json." in (
        found["operating"].notes
    )
    assert "1 further line, in scorecard.json." in found["reliability"].notes[-1]


def test_net_benefit_has_a_column_only_where_a_risk_is_stated():
    names = ("recall", "specificity", "positive_predictive_value", "negative_predictive_value",
             "number_needed_to_biopsy")  # fmt: skip
    plain = AtPrevalence(
        row="a", dataset="ham", class_="mel", prevalence=0.02, rule="argmax",
        scores=tuple(score(name, 0.5) for name in names),
    )  # fmt: skip
    assert [c.title for c in tables(prevalence=(plain,))["prevalence"].columns][-1] == (
        "needed to biopsy"
    )
    more = (score("net_benefit", 0.004), score("net_benefit_of_all", -0.03))
    risky = replace(plain, threshold_probability=0.05, scores=(*plain.scores, *more))
    table = tables(prevalence=(risky,))["prevalence"]
    assert table.columns[-1].title == "net benefit"
    assert texts(table.rows[0])[-1] == "0.004"
    assert "By prior shift alone" in table.notes[0]
    assert any("acting on everybody -0.030" in note for note in table.notes)
    none = replace(plain, scores=(), reason="no val images")
    (line,) = tables(prevalence=(none,))["prevalence"].rows
    assert line[3].why == "no val images"


def test_a_calibration_stands_before_and_after_with_its_change():
    item = Calibrated(
        row="cal", of="a", dataset="ham", method="temperature",
        before=(score("log_loss", 0.9, class_=None),),
        after=(score("log_loss", 0.7, class_=None),),
        changes=(score("log_loss", -0.2, -0.3, -0.0002, class_=None),),
    )  # fmt: skip
    (line,) = tables(calibrated=(item,))["calibrated"].rows
    assert texts(line) == ["cal", "log loss", "0.900", "0.700", "-0.200"]
    assert line[4].detail == "[-0.300, -0.0002]", "below 0, and seen to be"
    assert line[0].why == "temperature of a, ham"


def test_an_error_is_held_against_that_of_a_calibrated_model():
    fine = replace(RELIABLE, error=0.04)
    none = replace(RELIABLE, error=None, reason="rows do not sum to 1")
    said = tables(reliability=(RELIABLE, fine, none))["reliability"].rows
    assert [line[-1].text for line in said[:2]] == ["not calibrated", "no sign of it"]
    assert said[2][2].why == "rows do not sum to 1"


def test_a_value_at_a_prevalence_without_an_interval_says_why():
    same = "no interval: every bootstrap resample gives the same value"
    item = AtPrevalence(
        row="a", dataset="ham", class_="mel", prevalence=0.02, rule="argmax",
        scores=(score("negative_predictive_value", 1.0, reason=same), score("recall", 1, 0.9, 1)),
    )  # fmt: skip
    notes = tables(prevalence=(item,))["prevalence"].notes
    assert f"NPV (argmax, mel 0.02): {same}" in notes


def test_more_about_a_class_says_how_many_images_each_number_is_over():
    names = ("melanoma_called_benign", "calibration_slope", "specificity_at_recall_90",
             "negative_predictive_value")  # fmt: skip
    scores = [
        Score(row="a", metric=name, class_="mel", value=0.5, n=100, n_positive=7) for name in names
    ]
    confusion = Confusion(
        row="a", dataset="ham", condition="none", seed=0, counts=((5, 2), (8, 85))
    )
    lines = focus_table("t", scores, "mel", (confusion, 0)).rows
    assert [(line[-1].text, line[-1].detail) for line in lines] == [
        ("7", ""), ("100", "(7 mel)"), ("100", "(7 mel)"), ("87", ""),
    ]  # fmt: skip
    (unknown,) = focus_table("t", scores[3:], "mel").rows
    assert (unknown[-1].text, unknown[-1].detail) == ("100", "(7 mel)")
