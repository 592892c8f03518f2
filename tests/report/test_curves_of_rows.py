"""Decision curves and scores by strength, as drawings."""

from dataclasses import replace

from skinbench.records import ConditionDrop, DecisionCurve
from skinbench.report.condition_curves import condition_figures
from skinbench.report.decision_curves import MOST_ROWS, decision_curve_notes, decision_figures

CURVE = DecisionCurve(
    row="a <b>",
    dataset="ham",
    class_="mel",
    prevalence=0.1,
    risks=(0.1, 0.2, 0.3),
    net_benefit=(0.05, 0.03, -0.01),
    low=(0.04, 0.02, -0.02),
    high=(0.06, 0.04, 0.0),
    of_all=(0.0, -0.125, -0.28),
    n=100,
    n_positive=10,
    n_groups=10,
)


def rows(count):
    return [replace(CURVE, row=f"row {index}") for index in range(count)]


def test_a_drawing_for_each_test_set_class_and_prevalence():
    curves = [CURVE, replace(CURVE, prevalence=0.02), replace(CURVE, dataset="pad"), *rows(2)]
    drawings = list(decision_figures(curves))
    assert [item.name for item in drawings] == [f"decision-curves-{n}" for n in (1, 2, 3)]
    assert len({item.svg for item in drawings}) == 3
    assert drawings[0].alt == (
        "Net benefit for mel at a prevalence of 0.1, ham: a <b> is above both at risks of 0.1 to "
        "0.2; row 0 is above both at risks of 0.1 to 0.2; row 1 is above both at risks of 0.1 to "
        "0.2"
    )
    assert "a &lt;b&gt;" in drawings[0].svg
    assert next(iter(decision_figures(curves))).svg == drawings[0].svg


def test_a_row_that_is_of_no_use_is_said_to_be():
    useless = replace(CURVE, net_benefit=(-0.1, -0.1, -0.1), low=(), high=())
    (drawing,) = decision_figures([useless])
    assert "is nowhere above acting on everyone and on nobody" in drawing.alt


def test_rows_without_a_curve_and_rows_too_many_are_noted():
    none = replace(CURVE, risks=(), net_benefit=(), of_all=(), reason="no val images")
    assert list(decision_figures([none])) == []
    assert decision_curve_notes([none]) == ("a <b>: no decision curve: no val images.",)
    many = rows(MOST_ROWS + 2)
    (drawing,) = decision_figures(many)
    assert f"row {MOST_ROWS - 1}" in drawing.svg
    assert f"row {MOST_ROWS}<" not in drawing.svg
    assert f"first {MOST_ROWS} of {MOST_ROWS + 2} rows" in decision_curve_notes(many)[-1]


def drop(condition, value, metric="recall", class_="mel", row="a", before=0.8):
    return ConditionDrop(
        row=row, dataset="ham", condition=condition, metric=metric, class_=class_, value=value,
        low=None if value is None else value - 0.1, high=None if value is None else value + 0.1,
        before=before, n=50, n_groups=40,
    )  # fmt: skip


def test_recall_is_drawn_with_its_specificity():
    drops = [
        drop(f"{name}@{strength}", 0.8 - strength / 10, metric)
        for metric in ("balanced_accuracy", "recall", "specificity")
        for name in ("blur", "colour_cast")
        for strength in (1, 3)
    ]
    (drawing,) = condition_figures(drops)
    assert drawing.alt == (
        "a on ham: mel recall (sensitivity) and mel specificity by strength: blur recall 0.800 to "
        "0.500, specificity 0.800 to 0.500; colour cast recall 0.800 to 0.500, specificity 0.800 "
        "to 0.500"
    )
    assert "colour cast" in drawing.svg


def test_one_strength_is_no_curve_and_a_failed_one_is_left_out():
    assert list(condition_figures([drop("blur@2", 0.5), drop("metadata_missing", 0.5)])) == []
    drops = [drop("blur@1", 0.7), drop("blur@2", None), drop("blur@3", 0.5, before=None)]
    (drawing,) = condition_figures(drops)
    assert "0.800 to 0.500" in drawing.alt
    both = [*drops, *(replace(item, row="b") for item in drops)]
    assert [item.name for item in condition_figures(both)] == ["conditions-1", "conditions-2"]
