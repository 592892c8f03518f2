from dataclasses import replace
from xml.etree import ElementTree

import pytest

from skinbench.gate import Check, judge, make_baseline, verdict_to_junit, verdict_to_markdown
from skinbench.records import CheckResult, Verdict
from skinbench.store import canonical_json, from_plain, to_plain
from tests.gate.runs import damage, plain_run, run
from tests.score.drawn import frame

CHECK = (Check(metric="recall", class_="mel", margin=0.05),)


def result(outcome="passed", **options):
    options = {"row": "grid/a", "metric": "recall", "class_": "mel", "slice": None, **options}
    return CheckResult(outcome=outcome, margin=0.05, **options)


def verdict(*checks, outcome="passed", exit_code=0, notes=()):
    return Verdict(
        outcome=outcome, checks=checks, exit_code=exit_code, decision_rule="argmax", notes=notes
    )


def test_junit_counts_each_kind():
    text = verdict_to_junit(
        verdict(
            result(),
            result("regressed", reason="worse"),
            result("inconclusive"),
            result("missing"),
            result("missing", required=False),
            outcome="regressed",
            exit_code=3,
            notes=("one note",),
        )
    )
    suite = ElementTree.fromstring(text)
    counts = {name: suite.get(name) for name in ("tests", "failures", "errors", "skipped")}
    assert counts == {"tests": "5", "failures": "2", "errors": "1", "skipped": "1"}
    cases = suite.findall("testcase")
    assert cases[0].get("classname") == "grid/a"
    assert cases[0].get("name") == "recall of mel"
    assert cases[1].find("failure").get("message") == "regressed: worse"
    assert "one note" in suite.find("system-out").text


@pytest.mark.parametrize(
    ("outcome", "checks"),
    [("missing", ()), ("inconclusive", (result(),)), ("missing", (result(required=False),))],
)
def test_junit_of_a_verdict_that_did_not_pass_is_never_green(outcome, checks):
    suite = ElementTree.fromstring(verdict_to_junit(verdict(*checks, outcome=outcome, exit_code=4)))
    assert suite.get("errors") == "1"


def test_junit_is_green_where_the_policy_only_warns():
    checks = (result(), result("inconclusive", reason="few"))
    warned = verdict_to_junit(verdict(*checks, outcome="inconclusive", exit_code=0))
    suite = ElementTree.fromstring(warned)
    assert [suite.get(name) for name in ("failures", "errors", "skipped")] == ["0", "0", "1"]
    assert suite.find("testcase/skipped").get("message") == "inconclusive: few"
    failed = verdict_to_junit(verdict(*checks, outcome="inconclusive", exit_code=4))
    assert ElementTree.fromstring(failed).get("failures") == "1"


def test_junit_says_refused():
    text = verdict_to_junit(verdict(result("missing"), outcome="refused", exit_code=4))
    assert "refused: " in text


def test_nothing_in_a_name_breaks_out():
    nasty = "a|b <img src=x> `c` **d** & \"e\" 'f' \n# g [h](i) @j \x00\x1b"
    item = verdict(result(row=nasty, reason=nasty, slice=nasty), notes=(nasty,))
    suite = ElementTree.fromstring(verdict_to_junit(item))
    assert suite.find("testcase").get("classname").startswith("a|b <img src=x>")
    text = verdict_to_markdown(item)
    assert "<img" not in text
    assert "\x00" not in text
    assert "\x1b" not in text
    lines = text.splitlines()
    table = [line for line in lines if line.startswith("|")]
    assert len(table) == 3
    assert {line.replace("\\|", "").count("|") for line in table} == {9}
    assert not any(line.startswith("#") for line in lines)
    assert "\\@j" in text
    assert "\\[h\\]" in text


def test_markdown_of_real_verdicts():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, [Check(class_="mel", margin=0.05)])
    good = judge(item.scorecard, item.predictions, kept)
    bad_run = run({"grid/a@0.0": damage(frame(1600))})
    bad = judge(bad_run.scorecard, bad_run.predictions, kept)
    text = verdict_to_markdown(good)
    assert text.startswith("**skinbench gate: passed** (exit code 0; decisions by argmax)\n")
    assert "+0.000" in text
    assert "**regressed**" in verdict_to_markdown(bad)
    assert verdict_to_markdown(bad) == verdict_to_markdown(from_plain(Verdict, to_plain(bad)))
    assert verdict_to_junit(bad) == verdict_to_junit(from_plain(Verdict, to_plain(bad)))
    assert "none" in verdict_to_markdown(verdict(result("missing"), outcome="missing", exit_code=4))
    assert canonical_json(bad) == canonical_json(
        judge(bad_run.scorecard, bad_run.predictions, kept)
    )


def test_a_verdict_without_checks_is_still_a_page():
    text = verdict_to_markdown(verdict(outcome="missing", exit_code=4, notes=("why",)))
    assert "missing" in text
    assert "- why" in text


def test_a_pass_that_is_worse_within_the_margin_is_said_in_junit():
    reason = "recall of mel 0.80 after 0.82; worse within the margin"
    suite = ElementTree.fromstring(verdict_to_junit(verdict(result(reason=reason), result())))
    said = [case.find("system-out") for case in suite.findall("testcase")]
    assert said[0].text == reason
    assert said[1] is None
    assert suite.get("failures") == "0"


def test_leaky_rows_are_marked_and_say_why():
    checks = (result(stamp="leaky split: one"), result(row="b", stamp="leaky split: two"), result())
    given = verdict(*checks)
    suite = ElementTree.fromstring(verdict_to_junit(given))
    assert suite.find("testcase/system-out").text == "† leaky split: one"
    assert "† leaky split: one\n‡ leaky split: two" in suite.find("system-out").text
    text = verdict_to_markdown(given)
    assert "| grid/a † |" in text
    assert "| b ‡ |" in text
    assert "| grid/a |" in text
    assert "- ‡ leaky split: two" in text


def test_the_verdict_has_the_stamps_of_its_rows():
    item = plain_run()
    kept = make_baseline(item.scorecard, item.predictions, CHECK)
    leaky = replace(item.scorecard, stamps={"by_lesion": "leaky split: copies"})
    stamps = [
        {check.stamp for check in judge(card, item.predictions, kept).checks}
        for card in (item.scorecard, leaky)
    ]
    assert stamps == [{""}, {"leaky split: copies"}]
