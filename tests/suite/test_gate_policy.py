import pytest

from skinbench.errors import SuiteError
from skinbench.pipeline.judging import policy_of
from skinbench.store import RunFolder
from skinbench.suite import load_suite
from tests.suite.texts import with_changes, write


def load(tmp_path, **changes):
    write(tmp_path, with_changes(**changes))
    return load_suite(tmp_path / "suite.yaml")


def test_the_default_policy_fails_what_cannot_tell_and_decides_by_the_argmax(tmp_path):
    policy = load(tmp_path).file.gate_policy
    assert (policy.on_inconclusive, policy.decision) == ("fail", "argmax")


def test_a_stated_policy_reaches_the_gate(tmp_path):
    stated = {"on_inconclusive": "warn", "decision": "mel:recall=0.9"}
    load(tmp_path, gate_policy=stated)
    policy = policy_of(RunFolder(tmp_path))
    assert policy.on_inconclusive == "warn"
    assert policy.decision.title == "mel at recall 0.9 on val"


def test_a_check_may_name_its_own_rule(tmp_path):
    check = {"metric": "recall", "class": "mel", "margin": 0.05, "decision": "mel:youden"}
    load(tmp_path, gate=[check])
    (found,) = policy_of(RunFolder(tmp_path)).checks
    assert found.rule(None).title == "mel at Youden's J on val"
    with pytest.raises(SuiteError, match=r"gate\.0\.decision.*expected argmax"):
        load(tmp_path, gate=[{**check, "decision": "youden"}])


@pytest.mark.parametrize(
    ("stated", "words"),
    [
        ({"on_inconclusive": "wrn"}, "gate_policy.on_inconclusive"),
        ({"decision": "mel:recal=0.9"}, "expected argmax, CLASS:recall=0.9"),
        ({"decision": "mel:youden=0.9"}, "gate_policy.decision"),
        ({"decision": {"class": "mel"}}, "gate_policy.decision"),
        ({"decisions": "argmax"}, "unknown key 'decisions'; did you mean 'decision'"),
    ],
)
def test_mistakes_are_named(tmp_path, stated, words):
    with pytest.raises(SuiteError, match=words):
        load(tmp_path, gate_policy=stated)
