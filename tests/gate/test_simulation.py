import numpy as np
import pytest

from tests.prove.gate_simulation import lesions, main, mixed, rates, retrained


@pytest.mark.parametrize(("recall", "correlation"), [(0.8, 0.0), (0.8, 0.9), (0.95, 0.9)])
def test_wrong_verdicts_are_as_rare_as_promised(recall, correlation):
    found = rates(223, recall, correlation, 400)
    noise = 3 * np.sqrt(0.05 * 0.95 / 400)
    assert found["falsely regressed"] <= 0.06 + noise
    assert found["falsely passed"] <= 0.07 + noise
    assert found["falsely passed uncorrected"] >= found["falsely passed"]


def test_retraining_alone_regresses_one_seed_more_often_than_three():
    assert retrained(223, 0.8, 0.5, 200, 1) > retrained(223, 0.8, 0.5, 200, 3)


def test_the_simulation_does_what_it_says():
    generator = np.random.default_rng(0)
    assert lesions(generator, 223).sum() == 223
    codes = np.repeat(np.arange(20000), 2)
    pairs = mixed(generator, codes, 20000, 0.5).reshape(-1, 2)
    assert np.corrcoef(pairs.T)[0, 1] == pytest.approx(0.5, abs=0.03)


def test_it_runs_and_writes_only_when_asked(tmp_path, capsys):
    path = tmp_path / "a.json"
    assert main(["--simulations", "20", "--json", str(path)]) in (0, 1)
    assert "falsely passed" in path.read_text()
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 18 + 4 + 1
    assert "of equal recipes trained again" in lines[-1]
