"""A verdict on the terminal."""

import io

from rich.console import Console

from skinbench.cli.verdicts import print_verdict
from skinbench.gate import DEFAULT_CHECKS, judge, make_baseline
from tests.gate.runs import TWO, run, two_class


def shown(right_before, right_now, checks=DEFAULT_CHECKS):
    old, new = (
        run({"a@0.0": two_class(right, [True] * 200 + [False] * 20)}, classes=TWO)
        for right in (right_before, right_now)
    )
    kept = make_baseline(old.scorecard, old.predictions, checks)
    out = io.StringIO()
    verdict = judge(new.scorecard, new.predictions, kept, checks)
    print_verdict(verdict, Console(file=out, width=80, highlight=False))
    return verdict, " ".join(out.getvalue().split())


def test_a_pass_that_is_worse_within_the_margin_is_said():
    before = [index >= 100 for index in range(1000)]
    verdict, text = shown(before, [index >= 120 for index in range(1000)])
    assert verdict.outcome == "passed"
    assert "worse within the margin" in text
    plain, text = shown(before, [index >= 100 or index < 2 for index in range(1000)])
    assert plain.outcome == "passed"
    assert "worse within the margin" not in text
