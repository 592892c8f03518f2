import copy
import json
from dataclasses import replace

import numpy as np
import pytest

from skinbench.errors import BaselineError, StoreError, UnknownNameError, UsageError
from skinbench.gate import (
    DEFAULT_CHECKS,
    Check,
    judge,
    make_baseline,
    read_baseline,
    verify_baseline,
    write_baseline,
)
from skinbench.gate.kept import baseline_rows
from skinbench.store import content_digest
from tests.gate.runs import damage, plain_run, run
from tests.score.drawn import frame


def base(item=None, checks=DEFAULT_CHECKS, **options):
    item = item or plain_run()
    return make_baseline(item.scorecard, item.predictions, checks, **options)


def test_a_baseline_is_read_as_it_was_written(tmp_path):
    baseline = base()
    path = tmp_path / "baselines" / "s.json"
    write_baseline(path, baseline)
    assert read_baseline(path) == baseline
    write_baseline(tmp_path / "again.json", read_baseline(path))
    assert path.read_bytes() == (tmp_path / "again.json").read_bytes()
    assert max(path.read_text().count("\n"), 0) < 200  # a column is one line


def test_what_is_kept_is_what_was_predicted():
    item = plain_run()
    (row,) = baseline_rows(base(item))
    images = row.by_seed[0]
    frame_ = item.predictions["grid/a@0.0"].frame
    assert images.image_ids.tolist() == frame_["image_id"].tolist()
    kept = images.probabilities[:, images.classes.index("mel")]
    np.testing.assert_array_equal(kept, frame_["p_mel"].to_numpy(np.float64))
    np.testing.assert_array_equal(
        images.decisions, item.predictions["grid/a@0.0"].probabilities().argmax(axis=1)
    )
    assert np.isnan(images.probabilities[:, 0]).all()


def test_scores_and_digests_are_kept():
    baseline = base()
    assert baseline["splits"] == {"by_lesion": "s1"}
    assert baseline["datasets"] == {"ham": "d1"}
    assert [(s["metric"], s["class"]) for s in baseline["scores"]] == [
        ("recall", "mel"),
        ("specificity", "mel"),
    ]
    assert baseline["anchor"] is None
    assert baseline["policy"][0]["class"] == "mel"


def test_rows_on_the_same_images_share_one_set():
    item = run({"a@0.0": frame(300), "b@0.0": frame(300, seed=1), "a@0.1": frame(300, seed=2)})
    baseline = base(item)
    assert len(baseline["sets"]) == 1
    assert [entry["set"] for entry in baseline["rows"]] == [0, 0, 0]


EDITS = [
    lambda b: b["rows"][0]["decision"].__setitem__(
        0, "mel" if b["rows"][0]["decision"][0] != "mel" else "nv"
    ),
    lambda b: b["policy"][0].__setitem__("margin", 0.5),
    lambda b: b["scores"][0].__setitem__("value", 0.1),
    lambda b: b["splits"].__setitem__("by_lesion", "x"),
    lambda b: b["sets"][0]["label"].__setitem__(
        0, "df" if b["sets"][0]["label"][0] != "df" else "nv"
    ),
    lambda b: b.__setitem__("digest", "0" * 32),
    lambda b: b.__setitem__("extra", 1),
    lambda b: b.pop("anchor"),
]


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_baseline_is_an_error(tmp_path, edit):
    item = plain_run(n=300)
    baseline = base(item)
    edited = copy.deepcopy(baseline)
    edit(edited)
    path = tmp_path / "b.json"
    path.write_text(json.dumps(edited))
    with pytest.raises(BaselineError, match=r"b\.json: was edited"):
        read_baseline(path)
    with pytest.raises(BaselineError):
        judge(item.scorecard, item.predictions, edited)
    with pytest.raises(BaselineError):
        write_baseline(path, edited)


def test_a_row_with_a_failed_seed_is_no_baseline():
    tables = {"a@0.0": frame(300), "a@0.1": frame(300, seed=1)}
    with pytest.raises(BaselineError, match=r"row a cannot be a baseline: cell a@0\.1 failed"):
        base(run(tables, failed=["a@0.1"]))


def test_other_schemas_and_files_are_errors(tmp_path):
    path = tmp_path / "b.json"
    for text in ("", "{", "[]", "{}", '{"schema": 1}', '"x"'):
        path.write_text(text)
        with pytest.raises(BaselineError, match=r"b\.json"):
            read_baseline(path)
    path.write_text(json.dumps({**base(plain_run(n=200)), "schema": 99}))
    with pytest.raises(BaselineError, match="schema 99"):
        read_baseline(path)
    with pytest.raises(BaselineError, match="cannot read"):
        read_baseline(tmp_path / "none.json")


def test_a_well_signed_but_broken_baseline_is_an_error():
    item = plain_run(n=200)
    for change in (
        lambda b: b["rows"][0].pop("decision"),
        lambda b: b["rows"][0]["decision"].pop(),
        lambda b: b["rows"][0].__setitem__("set", 5),
        lambda b: b["rows"][0]["decision"].__setitem__(0, "unknown"),
    ):
        broken = copy.deepcopy(base(item))
        change(broken)
        broken["digest"] = content_digest({k: v for k, v in broken.items() if k != "digest"})
        verify_baseline(broken)
        with pytest.raises(BaselineError, match="lacks a part or holds a wrong one"):
            judge(item.scorecard, item.predictions, broken)


def test_no_half_file_on_a_read_only_place(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError):
        write_baseline(tmp_path / "file" / "b.json", base(plain_run(n=200)))


def test_what_cannot_be_a_baseline():
    failed = run({"a@0.0": frame(200), "a@1.0": frame(200, fold=1)}, failed=["a@1.0"])
    with pytest.raises(
        BaselineError, match=r"row a cannot be a baseline: cell a@1\.0 failed: boom"
    ):
        base(failed)
    with pytest.raises(BaselineError, match="no row matches"):
        base(checks=[Check(rows="other/*", class_="mel", margin=0.05)])
    with pytest.raises(UnknownNameError, match="mel"):
        base(checks=[Check(class_="mell", margin=0.05)])
    with pytest.raises(UsageError, match="margin"):
        base(checks=[Check(class_="mel")])


def test_salted_ids_are_hashes_and_pair_alike():
    item, worse = plain_run(), None
    worse = run({"grid/a@0.0": damage(frame(1600))})
    salted, open_ = base(item, salt="secret"), base(item)
    text = json.dumps(salted)
    assert "i0_0" not in text
    assert "l0_0" not in text
    assert "secret" not in text
    for candidate in (item, worse):
        plain = judge(candidate.scorecard, candidate.predictions, open_)
        hashed = judge(candidate.scorecard, candidate.predictions, salted, salt="secret")
        assert replace(plain, uses=()) == replace(hashed, uses=())
    assert plain.uses[0].images == hashed.uses[0].images
    assert plain.uses[0].set != hashed.uses[0].set, "of salted ids"
    for salt in (None, "other"):
        with pytest.raises(BaselineError, match="salt"):
            judge(item.scorecard, item.predictions, salted, salt=salt)
    with pytest.raises(BaselineError, match="not salted"):
        judge(item.scorecard, item.predictions, open_, salt="secret")


def test_the_first_baseline_stays_as_anchor():
    first, second, third = (plain_run(seed=seed) for seed in range(3))
    one = base(first)
    two = base(second, previous=one)
    three = base(third, previous=two)
    assert two["anchor"]["digest"] == one["digest"]
    assert three["anchor"]["digest"] == one["digest"]
    moved = base(plain_run(split_digest="s2"), previous=one)
    assert moved["anchor"] is None


def test_small_losses_do_not_add_up_unseen():
    """Each step loses less than the margin; the first baseline is still compared with."""
    whole = frame(3000, skill=4)
    steps = [damage(whole, share, seed=0) for share in (0.0, 0.1, 0.2)]
    check = [Check(metric="recall", class_="mel", margin=0.07)]
    runs = [run({"a@0.0": step}) for step in steps]
    one = base(runs[0], check)
    two = base(runs[1], check, previous=one)
    verdict = judge(runs[2].scorecard, runs[2].predictions, two, check)
    assert len(verdict.checks) == 2
    assert verdict.checks[1].margin == pytest.approx(0.14)
    assert "against the first baseline" in verdict.checks[1].reason
    assert verdict.checks[1].outcome == "regressed"


def test_a_row_that_joins_later_is_anchored_where_it_joined():
    one, both = plain_run("a"), run({"a@0.0": frame(1600), "b@0.0": frame(1600, seed=1)})
    first = make_baseline(one.scorecard, one.predictions, DEFAULT_CHECKS)
    second = make_baseline(both.scorecard, both.predictions, DEFAULT_CHECKS, previous=first)
    assert {entry["row"]["name"] for entry in second["anchor"]["rows"]} == {"a"}
    third = make_baseline(both.scorecard, both.predictions, DEFAULT_CHECKS, previous=second)
    assert [entry["row"]["name"] for entry in third["anchor"]["rows"]] == ["a", "b"]
    assert third["anchor"]["digest"] == first["digest"]
    worse = {"a@0.0": frame(1600), "b@0.0": damage(frame(1600, seed=1), 0.9)}
    item = run(worse)
    verdict = judge(item.scorecard, item.predictions, third)
    anchored = [c for c in verdict.checks if "first baseline" in c.reason and c.row == "b"]
    assert [c.outcome for c in anchored] == ["regressed", "passed"]


def test_a_row_on_another_split_than_its_anchor_leaves_it():
    item = plain_run("a")
    first = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    moved = plain_run("a", split_digest="s2")
    second = make_baseline(moved.scorecard, moved.predictions, DEFAULT_CHECKS, previous=first)
    assert second["anchor"] is None


def test_a_check_that_the_first_baseline_cannot_serve_is_not_held_against_it():
    item = plain_run("a")
    first = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS)
    more = [*DEFAULT_CHECKS, Check(metric="macro_auroc", margin=0.1)]
    second = make_baseline(item.scorecard, item.predictions, more, previous=first)
    verdict = judge(item.scorecard, item.predictions, second)
    assert verdict.outcome == "passed"
    assert [check.metric for check in verdict.checks] == [
        "recall",
        "specificity",
        "macro_auroc",
        "recall",
        "specificity",
    ]


def test_other_hardware_and_versions_are_printed_and_change_nothing():
    item = plain_run()
    then = {"platform": "Linux-x86_64", "gpus": [], "torch": "2.14.0", "timm": "1.0.31"}
    now = {**then, "gpus": ["NVIDIA H100"], "torch": "2.15.0"}
    kept = make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS, environment=then)
    verdict = judge(item.scorecard, item.predictions, kept, environment=now)
    assert verdict.outcome == "passed"
    said = "other hardware or versions than the baseline's: gpus NVIDIA H100 after none, torch "
    assert said + "2.15.0 after 2.14.0" in verdict.notes
    same = judge(item.scorecard, item.predictions, kept, environment=then)
    assert not any("hardware" in note for note in same.notes)
