import math

import pytest

from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import Score
from skinbench.score.claims import Circumstances, Tolerances, check_claims, hanley_mcneil
from tests.score.drawn import row


def score(metric="accuracy", value=0.81, low=0.80, high=0.82, class_=None, **options):
    options = {"row": "p1/a", "n": 2003, "dataset": "ham", **options}
    return Score(metric=metric, class_=class_, value=value, low=low, high=high, **options)


def check(claim, *scores, **options):
    claims = claim if isinstance(claim, list) else [claim]
    made = row("p1/a", claims=tuple(claims))
    return check_claims([made], scores, Circumstances(**options))


def claim(metric="accuracy", value=0.81, **options):
    return {"metric": metric, "value": value, "source": "Table 2", **options}


def test_reproduced_higher_lower_cannot_tell():
    exact = {"low": 0.80, "high": 0.82}
    for value, low, high, verdict in (
        (0.81, 0.80, 0.82, "reproduced"),
        (0.90, 0.89, 0.91, "higher"),
        (0.70, 0.69, 0.71, "lower"),
        (0.83, 0.80, 0.86, "cannot tell"),
        (0.83, 0.825, 0.835, "higher"),
    ):
        (found,) = check(claim(**exact), score(value=value, low=low, high=high))
        assert found.verdict == verdict
        assert found.measured == value
        assert found.source == "Table 2"


def test_the_interval_by_hand():
    (found,) = check(claim(value=0.8, low=0.76, high=0.85), score(value=0.9, low=0.87, high=0.92))
    assert found.low == pytest.approx(0.1 - math.hypot(0.03, 0.05))
    assert found.high == pytest.approx(0.1 + math.hypot(0.02, 0.04))


def test_wilson_for_a_share_with_known_n():
    (found,) = check(claim(n=2003), score())
    assert found.low == pytest.approx(-math.hypot(0.01, 0.8266 - 0.81), abs=1e-3)
    assert found.verdict == "reproduced"
    assert "independent" in found.reason
    (few,) = check(claim(n=100), score())
    assert few.verdict == "cannot tell"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (claim(), "does not say its n"),
        (claim("macro_f1", n=2003), "no interval"),
        (claim("f1", **{"class": "mel"}, n=223), "no interval"),
        (claim("precision", **{"class": "mel"}, n=223), "no interval"),
        (claim("auroc", **{"class": "mel"}, n=2003), "n and n_positive"),
    ],
)
def test_without_an_interval_it_cannot_tell(given, words):
    (found,) = check(given, score(given["metric"], class_=given.get("class")))
    assert (found.verdict, found.low, found.high) == ("cannot tell", None, None)
    assert words in found.reason
    assert found.measured == 0.81


def test_recall_takes_the_classs_own_n():
    given = claim("recall", 0.6, **{"class": "mel"}, n=2003, n_positive=223)
    (found,) = check(given, score("recall", 0.6, 0.6, 0.6, class_="mel"))
    # Wilson of 0.6 at 223: 0.534 to 0.662
    assert found.low == pytest.approx(-0.062, abs=2e-3)
    given = claim("specificity", 0.9, **{"class": "mel"}, n=2003, n_positive=223)
    (found,) = check(given, score("specificity", 0.9, 0.9, 0.9, class_="mel"))
    assert found.low == pytest.approx(-0.0131, abs=2e-3)


def test_hanley_mcneil_by_hand():
    # area 0.893, 51 and 58 images: Q1 .806684, Q2 .842525, variance 3.12640 / 2958
    low, high = hanley_mcneil(0.893, 51, 58, 0.95)
    assert (high - low) / 2 / 1.959964 == pytest.approx(0.032511, abs=5e-6)
    given = claim("auroc", 0.9, **{"class": "mel"}, n=2003, n_positive=223)
    (found,) = check(given, score("auroc", 0.9, 0.9, 0.9, class_="mel"))
    assert found.verdict == "reproduced"


def test_tolerances_are_options():
    given = claim("recall", 0.8, low=0.78, high=0.82, **{"class": "mel"})
    measured = score("recall", 0.82, 0.80, 0.84, class_="mel")
    assert check(given, measured)[0].verdict == "reproduced"  # 0.05 per class
    tight = Tolerances(per_class=0.02)
    assert check(given, measured, tolerances=tight)[0].verdict == "cannot tell"


def test_reduced_rows_are_never_compared():
    (found,) = check(claim(n=2003), score(), reduced={"p1/a": "1,000 of 10,015 images"})
    assert found.verdict == "not comparable"
    assert found.reason == "1,000 of 10,015 images"
    assert found.measured == 0.81


def test_not_run():
    (found,) = check(claim(n=2003))
    assert found.verdict == "not run"
    failed = score(value=None, low=None, high=None, n=0, reason="cell p1/a@0.0 failed: boom")
    (found,) = check(claim(n=2003), failed, reduced={"p1/a": "fewer epochs"})
    assert (found.verdict, found.reason) == ("not run", "cell p1/a@0.0 failed: boom")
    (found,) = check(claim(n=2003), score(row="p1/b"), score(seed=0), score(condition="blur@3"))
    assert found.verdict == "not run"


def test_an_undefined_score_cannot_tell():
    (found,) = check(claim(n=2003), score(value=None, low=None, high=None, reason="no image"))
    assert (found.verdict, found.reason) == ("cannot tell", "no image")


def test_a_score_without_interval_cannot_tell():
    (found,) = check(claim(n=2003), score(low=None, high=None, reason="9 lesion groups"))
    assert (found.verdict, found.reason) == ("cannot tell", "9 lesion groups")


def test_several_datasets_need_a_name():
    both = [score(), score(dataset="isic")]
    assert "name the claim's `dataset`" in check(claim(n=2003), *both)[0].reason
    assert check(claim(n=2003, dataset="ham"), *both)[0].verdict == "reproduced"


def test_contradictory():
    two = [claim(n=2003), claim(value=0.85, source="Figure 4", n=2003)]
    found = check(two, score())
    assert [item.verdict for item in found] == ["contradictory"] * 2
    assert "0.81 in Table 2, 0.85 in Figure 4" in found[0].reason
    assert found[0].measured == 0.81
    found = check(two, score(), reduced={"p1/a": "fewer epochs"})
    assert found[0].verdict == "contradictory"
    assert "fewer epochs" in found[0].reason


@pytest.mark.parametrize(
    ("first", "second", "differ"),
    [
        (0.81, 0.81, False),
        (0.81, 0.812, False),
        (0.81, 0.816, True),
        ("0.80", "0.81", True),
        (0.8, 0.81, False),
        ("0.80", "0.8", False),
        ("0.80", "0.80", False),
        (0.81, 0.82, True),
        ("0.812", "0.813", True),
    ],
)
def test_rounding_is_no_contradiction(first, second, differ):
    found = check([claim(value=first), claim(value=second)], score())
    assert (found[0].verdict == "contradictory") == differ


def test_other_metrics_and_classes_do_not_contradict():
    two = [claim("recall", 0.6, **{"class": "mel"}), claim("recall", 0.9, **{"class": "nv"})]
    assert check(two)[0].verdict == "not run"


def test_wrong_claims_are_one_clear_line():
    with pytest.raises(UnknownNameError, match="accuracy"):
        check(claim("acuracy"))
    with pytest.raises(UsageError, match="'value' is missing"):
        check({"metric": "accuracy"})
    with pytest.raises(UsageError, match="expected a number"):
        check(claim(value="high"))


def test_what_the_measurement_says_stands_beside_what_arithmetic_says():
    two = [claim(n=2003), claim(value=0.85, source="Figure 4", n=2003)]
    first, second = check(two, score())
    assert (first.verdict, first.beside) == ("contradictory", "reproduced")
    assert (second.verdict, second.beside) == ("contradictory", "lower")
    (found,) = check(claim(value="0.96", sd="0.25", n=2003), score())
    assert (found.verdict, found.beside, found.printed) == ("impossible", "lower", "0.96 ± 0.25")
    assert found.difference == pytest.approx(-0.15)
    assert (found.measured_low, found.measured_high) == (0.80, 0.82)


def test_differences_of_protocol_and_leaks_stand_beside_the_verdict():
    made = row("p1/a", claims=(claim(n=2003),), paper="p1", differences=("split by lesion",))
    (found,) = check_claims([made], [score()], Circumstances(stamps={"by_lesion": "leaky"}))
    assert (found.paper, found.differences) == ("p1", ("split by lesion", "leaky"))
    (found,) = check_claims([made], [score()], Circumstances(stamps={"other": "leaky"}))
    assert found.differences == ("split by lesion",)
