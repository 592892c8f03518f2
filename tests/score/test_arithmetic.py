"""Impossible and contradictory claims, by arithmetic alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skinbench.score.arithmetic import UNCHECKED, check_arithmetic
from skinbench.score.class_totals import SHARES
from skinbench.score.printed import printed, read_claim
from skinbench.suite.claims import ClaimReport

FIGURE_4 = {
    "akiec": ["0.70", "0.68", "0.69", 65],
    "bcc": ["0.69", "0.87", "0.77", 103],
    "bkl": ["0.70", "0.68", "0.69", 220],
    "df": ["0.89", "0.70", "0.78", 23],
    "mel": ["0.66", "0.53", "0.59", 223],
    "nv": ["0.92", "0.94", "0.93", 1341],
    "vasc": ["0.92", "0.86", "0.89", 28],
    "accuracy": "0.85",
    "macro": ["0.78", "0.75", "0.76", 2003],
    "weighted": ["0.85", "0.85", "0.85", 2003],
}
"""Of Sadvakassov 2026."""
FIGURE_2 = {
    "mel": ["0.64", "0.80", "0.71", 223],
    "nv": ["0.95", "0.94", "0.94", 1341],
    "bcc": ["0.72", "0.89", "0.80", 103],
    "akiec": ["0.83", "0.60", "0.70", 65],
    "bkl": ["0.80", "0.69", "0.74", 220],
    "df": ["0.95", "0.78", "0.86", 23],
    "vasc": ["1.00", "0.79", "0.88", 28],
    "accuracy": "0.88",
    "macro": ["0.84", "0.78", "0.80", 2003],
    "weighted": ["0.89", "0.88", "0.88", 2003],
}
"""Of Usama 2026."""


def claim(metric="accuracy", value="0.81", **options):
    return {"metric": metric, "value": value, "source": "Table 2", **options}


def judge(*claims):
    return check_arithmetic([read_claim(item) for item in claims])


def judge_report(report, *more, source="Figure"):
    made = ClaimReport(source=source, report=report).claims()
    return judge(*(item.model_dump(by_alias=True) for item in made), *more)


def verdicts(*claims):
    return [item.verdict for item in judge(*claims)]


def test_a_printed_number_is_all_that_rounds_to_it():
    for text, low, high in (
        ("0.80", 0.795, 0.805),
        ("0.8", 0.75, 0.85),
        (".85", 0.845, 0.855),
        ("1", 0.5, 1.5),
        ("8e-1", 0.75, 0.85),
    ):
        found = printed(text)
        assert (float(found.low), float(found.high)) == (low, high)
    for text in ("high", "inf", "nan", ""):
        with pytest.raises(ValueError):
            printed(text)


def test_the_published_deviations_are_impossible():
    first, second = judge(
        claim(value="0.96", sd="0.25"), claim("balanced_accuracy", "0.94", sd="0.34")
    )
    assert (first.verdict, second.verdict) == ("impossible", "impossible")
    assert "0.96 ± 0.25 exceeds" in first.reason
    assert "0.207 (divided by n) or 0.211 (by n - 1)" in first.reason
    assert "0.247 (divided by n) or 0.252 (by n - 1)" in second.reason
    assert "any number of scores" in first.reason
    assert first.reason.endswith("what ± means: not stated")


def test_the_folds_that_are_stated_count():
    # five scores of mean 0.5: 1, 1, 0.5, 0, 0 spread by 0.5; two by 0.707
    for sd, folds, verdict in (
        ("0.50", 5, "consistent"),
        ("0.505", 5, "impossible"),
        ("0.55", 5, "impossible"),
        ("0.55", None, "consistent"),
        ("0.71", None, "consistent"),
        ("0.72", None, "impossible"),
    ):
        (found,) = judge(claim(value="0.50", sd=sd, folds=folds, sd_means="std over folds"))
        assert found.verdict == verdict, (sd, folds)
        assert "std over folds" in found.reason
    assert "5 scores" in judge(claim(value="0.50", sd="0.55", folds=5))[0].reason


def test_a_deviation_that_only_one_divisor_allows_says_so():
    (found,) = judge(claim(value="0.96", sd="0.214"))
    assert found.verdict == "impossible"
    (found,) = judge(claim(value="0.96", sd="0.210"))
    assert found.verdict == "consistent"
    assert "only have been divided by n - 1" in found.reason
    (found,) = judge(claim(value="0.96", sd="0.20"))
    assert "only have been" not in found.reason


def test_only_scores_between_0_and_1_have_a_greatest_deviation():
    assert verdicts(claim("log_loss", "0.96", sd="3.1")) == ["consistent"]
    assert "log_loss" not in SHARES
    (found,) = judge(claim(value="1.25"))
    assert (found.verdict, found.reason[:30]) == ("impossible", "1.25 is not between 0 and 1 (a")
    assert verdicts(claim(value="1.00"), claim("f1", "-0.01", **{"class": "mel"})) == [
        "consistent",
        "impossible",
    ]


def test_two_numbers_for_one_thing():
    found = judge(claim(), claim(value="0.85", source="Figure 4"), claim("macro_f1", "0.5"))
    assert [item.verdict for item in found] == ["contradictory", "contradictory", "consistent"]
    assert found[0].reason == "0.81 in Table 2, 0.85 in Figure 4"
    assert found[1].reason == "0.85 in Figure 4, 0.81 in Table 2"
    assert found[2].reason == UNCHECKED
    other = {"class": "nv"}
    assert (
        verdicts(claim("recall", "0.60", **{"class": "mel"}), claim("recall", "0.90", **other))
        == ["consistent"] * 2
    )
    assert verdicts(claim(dataset="ham"), claim(value="0.90", dataset="isic")) == ["consistent"] * 2


def test_an_interval_holds_its_own_value():
    (found,) = judge(claim(value="0.90", low="0.92", high="0.95"))
    assert found.verdict == "contradictory"
    assert "[0.92, 0.95]" in found.reason
    assert verdicts(claim(value="0.90", low="0.90", high="0.95")) == ["consistent"]
    assert verdicts(claim(value="0.90", low="0.80", high="0.88")) == ["contradictory"]


@pytest.mark.parametrize("report", [FIGURE_4, FIGURE_2], ids=["sadvakassov", "usama"])
def test_the_published_reports_agree_with_themselves(report):
    found = judge_report(report)
    assert {item.verdict for item in found} == {"consistent"}
    assert len(found) == 7 * 3 + 1 + 2 * 3
    said = [item.reason for item in found[-7:]]
    assert all("the classes of Figure allow" in text for text in said)
    assert "its precision and recall give" in found[2].reason


@pytest.mark.parametrize(
    ("line", "column", "value"),
    [
        ("accuracy", None, "0.86"),
        ("accuracy", None, "0.83"),
        ("macro", 0, "0.80"),
        ("macro", 1, "0.77"),
        ("macro", 2, "0.78"),
        ("weighted", 0, "0.87"),
        ("weighted", 2, "0.83"),
    ],
)
def test_a_total_that_its_classes_do_not_give_is_contradictory(line, column, value):
    report = {
        name: item if isinstance(item, str) else list(item) for name, item in FIGURE_4.items()
    }
    if column is None:
        report = {**report, line: value, "weighted": [None, None, None, 2003]}
    else:
        report[line][column] = value
    found = judge_report(report)
    wrong = [item for item in found if item.verdict == "contradictory"]
    assert len(wrong) == 1
    assert wrong[0].reason.startswith(f"{value} in Figure")
    assert "but the classes of Figure allow" in wrong[0].reason


def test_a_total_from_elsewhere_is_held_against_the_classes_too():
    found = judge_report(FIGURE_4, claim(value="0.81", n=2003))[-1]
    assert found.verdict == "contradictory"
    assert "0.81 in Table 2, but the classes of Figure allow 0.8449 to 0.8549" in found.reason


def test_classes_that_are_not_all_there_allow_nothing():
    fewer = {name: line for name, line in FIGURE_4.items() if name != "nv"}
    found = judge_report(fewer, claim(value="0.20", n=2003))
    assert "the classes" not in found[-1].reason
    more = judge_report({**FIGURE_4, "unk": ["0.50", "0.50", "0.50", 4]})
    assert any("have 2,007 images, more than 2,003" in item.reason for item in more)


def test_an_f1_that_its_precision_and_recall_do_not_give():
    wrong = {"class": "mel"}
    found = judge(
        claim("precision", "0.66", **wrong),
        claim("recall", "0.53", **wrong),
        claim("f1", "0.66", **wrong),
    )
    assert [item.verdict for item in found] == ["consistent", "consistent", "contradictory"]
    assert "give 0.5828 to 0.5930" in found[2].reason


def rounded(value, digits):
    return f"{value:.{digits}f}"


@given(st.data())
def test_numbers_of_any_real_confusion_matrix_never_contradict(data):
    size = data.draw(st.integers(2, 6))
    cells = st.lists(st.integers(0, 60), min_size=size, max_size=size)
    counts = np.array(data.draw(st.lists(cells, min_size=size, max_size=size))) + np.eye(
        size, dtype=int
    )
    digits = data.draw(st.integers(1, 3))
    hits, true, decided = np.diagonal(counts), counts.sum(axis=1), counts.sum(axis=0)
    columns = (hits / decided, hits / true, 2 * hits / (true + decided))
    report = {
        f"c{k}": [*(rounded(column[k], digits) for column in columns), int(true[k])]
        for k in range(size)
    }
    n = int(true.sum())
    report["accuracy"] = rounded(hits.sum() / n, digits)
    report["macro"] = [*(rounded(column.mean(), digits) for column in columns), n]
    weights = true / n
    report["weighted"] = [*(rounded((column * weights).sum(), digits) for column in columns), n]
    assert {item.verdict for item in judge_report(report)} == {"consistent"}


@given(
    scores=st.lists(st.floats(0, 1), min_size=2, max_size=20),
    digits=st.integers(1, 3),
    ddof=st.integers(0, 1),
    stated=st.booleans(),
)
def test_no_real_mean_and_deviation_is_impossible(scores, digits, ddof, stated):
    mean, sd = float(np.mean(scores)), float(np.std(scores, ddof=ddof))
    options = {"folds": len(scores)} if stated else {}
    (found,) = judge(claim(value=rounded(mean, digits), sd=rounded(sd, digits), **options))
    assert found.verdict == "consistent"
