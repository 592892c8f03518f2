"""The report's section on claims: papers in order, letters for protocols, what was reduced."""

import pytest

from skinbench.records import ClaimResult, Paper, Scorecard
from skinbench.report.claims import paper_parts, short_lines, summary
from skinbench.report.facts import exclusions_table, reduced_lines


def claim(row="p1/a", paper="p1", verdict="reproduced", **options):
    given = {"metric": "accuracy", "class_": None, "claimed": 0.8, "source": "Table 2"}
    return ClaimResult(
        row=row, paper=paper, verdict=verdict, **{**given, "measured": 0.81, **options}
    )


def card(*claims, papers=None):
    return Scorecard(
        suite="s", level=0.95, replicates=100, datasets={}, splits={}, rows=(), cells=(),
        scores=(), confusions=(), claims=claims, papers=papers or {},
    )  # fmt: skip


def texts(table, column):
    at = [item.title for item in table.columns].index(column)
    return [row[at] for row in table.rows]


def test_a_part_for_each_paper_in_the_order_of_its_rows():
    found = paper_parts(
        card(
            claim(paper="p2"),
            claim(paper="p1", verdict="lower"),
            claim(paper="p2", verdict="not run"),
            claim(paper=""),
            papers={"p1": Paper(title="One", notes=("it says both",)), "p2": Paper(title="Two")},
        )
    )
    assert [part.title for part in found] == ["Two", "One", "Rows of no paper"]
    assert found[0].summary == "2 claims: 1 reproduced, 1 not run"
    assert found[1].notes == ("it says both",)
    assert paper_parts(card(claim(paper="")))[0].title == ""
    assert paper_parts(card()) == ()


def test_what_a_row_does_otherwise_stands_beside_its_verdict():
    leaky, clean = ("split by image", "leaky"), ("split by lesion",)
    (part,) = paper_parts(
        card(
            claim(differences=leaky, verdict="contradictory", beside="lower"),
            claim(differences=clean, beside="reproduced"),
            claim(differences=leaky),
            claim(),
        )
    )
    said = [entry.why for entry in texts(part.claims, "verdict")]
    assert said == ["measured alone: lower; protocol a", "protocol b", "protocol a", ""]
    assert part.claims.notes == (
        "Protocol (a): split by image; leaky.",
        "Protocol (b): split by lesion.",
    )


def test_letters_never_run_out():
    claims = [claim(differences=(f"d{index}",)) for index in range(60)]
    (part,) = paper_parts(card(*claims))
    said = [entry.why.removeprefix("protocol ") for entry in texts(part.claims, "verdict")]
    assert len(set(said)) == 60
    assert (said[0], said[25], said[26], said[52]) == ("a", "z", "aa", "ba")


def test_claimed_as_in_print_measured_and_difference_with_their_intervals():
    (part,) = paper_parts(
        card(
            claim(
                printed="0.80", measured_low=0.79, measured_high=0.83, difference=0.01,
                low=-0.02, high=0.04,
            )
        )
    )  # fmt: skip
    (row,) = part.claims.rows
    assert [(entry.text, entry.detail) for entry in row[2:6]] == [
        ("0.80", ""),
        ("Table 2", ""),
        ("0.810", "[0.790, 0.830]"),
        ("+0.010", "[-0.020, 0.040]"),
    ]


def test_the_leaderboard_has_a_line_a_paper():
    lines = short_lines(card(claim(), claim(verdict="impossible"), claim(paper="")))
    assert lines == (
        "Claims of p1: 2 claims: 1 reproduced, 1 impossible.",
        "Claims: 1 claim: 1 reproduced.",
    )
    assert summary([claim(verdict="cannot tell")]) == "1 claim: 1 cannot tell"


def test_what_was_reduced_is_said_once_a_kind():
    lines = reduced_lines(
        {"a": "epochs 3 instead of 30", "b": "epochs 3 instead of 30", "c": "x"}, 5
    )
    assert lines == ("2 of 5 rows: epochs 3 instead of 30", "c: x")
    table = exclusions_table((), {"a": "less"}, {"a": "2 epochs, fewer than 3"})
    assert [[entry.text for entry in row] for row in table.rows] == [
        ["a", "reduced", "less"],
        ["a", "smoke", "outside the tables: 2 epochs, fewer than 3"],
    ]


@pytest.mark.parametrize("hostile", ["<b>|x", "\n\x1b[31m"])
def test_text_of_papers_stays_on_its_line(hostile):
    (part,) = paper_parts(
        card(claim(), papers={"p1": Paper(title=hostile, citation=hostile, notes=(hostile,))})
    )
    assert "\n" not in part.title + part.citation + part.notes[0]
    assert "\x1b" not in part.title


def test_a_remark_that_many_claims_have_is_said_once_below():
    claims = [claim(reason="half the data") for _ in range(3)] + [claim(reason="alone")]
    (part,) = paper_parts(card(*claims))
    said = [entry.text for entry in texts(part.claims, "remark")]
    assert said == ["(1)"] * 3 + ["alone"]
    assert part.claims.notes[0] == "Remark (1): half the data."
    (alike,) = paper_parts(card(*claims[:3]))  # the column would say the same on every line
    assert "remark" not in [column.title for column in alike.claims.columns]
    assert alike.claims.notes[0] == "Every claim: half the data."
