import functools
import json
import subprocess
import sys

import pytest

from skinbench.errors import StoreError
from skinbench.gate import count_in_ledger, judge, make_baseline, read_ledger, uses
from skinbench.gate.uses import counted_uses
from skinbench.store import alone_in
from tests.gate.runs import plain_run, run
from tests.score.drawn import frame


def baseline(item, **options):
    from skinbench.gate import DEFAULT_CHECKS

    return make_baseline(item.scorecard, item.predictions, DEFAULT_CHECKS, **options)


def verdict_on(item, kept):
    return judge(item.scorecard, item.predictions, kept)


def count(item, kept, path):
    (use,) = count_in_ledger(verdict_on(item, kept), kept["uses"], path).uses
    return use.known, use.total


def test_every_model_is_counted_once(tmp_path):
    path = tmp_path / "new" / "uses.json"
    first, second, third = (plain_run(seed=seed) for seed in range(3))
    kept = baseline(first)
    assert count(first, kept, path) == (1, 1), "the baseline's own model"
    assert count(second, kept, path) == (1, 2)
    assert count(second, kept, path) == (2, 2), "the same predictions again"
    assert count(third, kept, path) == (2, 3)
    (models,) = read_ledger(path).values()
    assert len(models) == 3
    notes = count_in_ledger(verdict_on(third, kept), kept["uses"], path).notes
    assert (
        "test set of 1,600 images (ham, by_lesion) has judged 3 models so far, none of them new: "
        "the more it judges, the less a pass says"
    ) in notes


def test_the_baseline_remembers_the_count_for_other_machines(tmp_path):
    here, other = tmp_path / "a.json", tmp_path / "b.json"
    models = [plain_run(seed=seed) for seed in range(4)]
    kept = baseline(models[0])
    for item in models[1:3]:
        count(item, kept, here)
    renewed = baseline(models[2], previous=kept, uses=read_ledger(here))
    assert count(models[3], renewed, other) == (3, 4)


def test_rows_of_a_run_are_models_of_their_own_and_other_images_another_set():
    item = run({"a@0.0": frame(1600), "b@0.0": frame(1600, seed=1)})
    (use,) = verdict_on(item, baseline(item)).uses
    assert len(use.models) == 2
    other = plain_run(n=1500)
    (small,) = verdict_on(other, baseline(other)).uses
    assert small.set != use.set
    assert (small.images, use.images) == (1500, 1600)


def test_what_is_refused_or_missing_uses_nothing():
    kept = baseline(plain_run())
    assert verdict_on(plain_run(n=1500), kept).uses == ()
    assert counted_uses(verdict_on(plain_run("other"), kept), {}).uses == ()


def test_a_ledger_that_cannot_be_written_costs_a_note(tmp_path):
    (tmp_path / "file").write_text("")
    item = plain_run()
    kept = baseline(item)
    found = count_in_ledger(verdict_on(item, kept), kept["uses"], tmp_path / "file" / "uses.json")
    assert found.outcome == "passed"
    assert any("could not be remembered" in note for note in found.notes)


COUNTS = """
import functools
import sys
from pathlib import Path
from skinbench.gate import count_in_ledger, uses
from skinbench.records import SetUse, Verdict
from skinbench.store import alone_in

uses.alone_in = functools.partial(alone_in, patience=240)
for number in range(10):
    use = SetUse(dataset="ham", set="s", images=1, models=(f"{sys.argv[2]}-{number}",))
    verdict = Verdict(outcome="passed", checks=(), exit_code=0, decision_rule="argmax", uses=(use,))
    found = count_in_ledger(verdict, {}, Path(sys.argv[1]))
    assert not any("could not" in note for note in found.notes), found.notes
"""


def test_gates_at_once_lose_no_count(tmp_path):
    path = tmp_path / "new" / "uses.json"
    started = [
        subprocess.Popen([sys.executable, "-c", COUNTS, str(path), str(n)]) for n in range(4)
    ]
    assert [process.wait(timeout=240) for process in started] == [0] * 4
    (models,) = read_ledger(path).values()
    assert len(models) == 4 * 10
    assert [item.name for item in path.parent.iterdir()] == ["uses.json"]


def test_a_lock_that_is_held_costs_a_note_and_goes_with_its_process(tmp_path, monkeypatch):
    path = tmp_path / "uses.json"
    item = plain_run()
    kept = baseline(item)
    holds = "import sys, time; from pathlib import Path; from skinbench.store import alone_in\n"
    holds += "with alone_in(Path(sys.argv[1])): print(1, flush=True); time.sleep(600)"
    holder = subprocess.Popen(
        [sys.executable, "-c", holds, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    with holder:
        assert holder.stdout.readline() == "1\n"
        impatient = functools.partial(alone_in, patience=0.05)
        monkeypatch.setattr(uses, "alone_in", impatient)
        found = count_in_ledger(verdict_on(item, kept), kept["uses"], path)
        assert any("another process is at work in" in note for note in found.notes)
        assert not path.exists()
        holder.kill()
    assert count(item, kept, path) == (1, 1)
    assert path.exists()


@pytest.mark.parametrize("content", [[], {"a": 1}, {"a": [1]}])
def test_a_file_that_is_no_ledger_is_refused(tmp_path, content):
    path = tmp_path / "uses.json"
    path.write_text(json.dumps(content))
    with pytest.raises(StoreError, match="name another file with --uses"):
        read_ledger(path)
