import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import PredictionsError, UnknownNameError
from skinbench.score.derive import derive_predictions
from tests.score.drawn import CLASSES, decided, frame, predictions


@pytest.mark.parametrize("kind", registry.derived.names())
def test_a_model_combined_with_itself_decides_alike(kind):
    member = predictions(frame(50))
    found = derive_predictions([member, member, member], kind=kind)
    np.testing.assert_array_equal(
        found.probabilities().argmax(axis=1), member.probabilities().argmax(axis=1)
    )
    np.testing.assert_allclose(found.probabilities().sum(axis=1), 1, atol=1e-6)
    facts = ["image_id", "group_id", "label", "split", "fold", "condition", "weight"]
    assert found.frame[facts].equals(member.frame[facts])


@pytest.mark.parametrize("kind", ["mean_probability", "mean_logit"])
def test_a_model_combined_with_itself_is_that_model(kind):
    member = predictions(frame(50))
    found = derive_predictions([member, member], kind=kind)
    np.testing.assert_allclose(found.probabilities(), member.probabilities(), atol=1e-6)


@pytest.mark.parametrize("kind", registry.derived.names())
def test_members_in_any_order_and_rows_in_any_order(kind):
    a, b = frame(60, seed=1), frame(60, seed=2)
    first = derive_predictions([predictions(a), predictions(b)], kind=kind)
    again = derive_predictions(
        [predictions(b.sample(frac=1, random_state=0)), predictions(a)], kind=kind
    )
    np.testing.assert_array_equal(first.probabilities(), again.probabilities())


def test_by_hand():
    members = [
        np.array([[0.5, 0.5, 0.0]]),
        np.array([[0.8, 0.1, 0.1]]),
        np.array([[0.1, 0.8, 0.1]]),
    ]
    mean = registry.derived.get("mean_probability").combine(members, {})
    np.testing.assert_allclose(mean, [[1.4 / 3, 1.4 / 3, 0.2 / 3]])
    logit = registry.derived.get("mean_logit").combine(members[1:], {})
    root = np.sqrt([0.08, 0.08, 0.01])
    np.testing.assert_allclose(logit[0], root / root.sum())
    vote = registry.derived.get("majority_vote").combine(members, {})
    np.testing.assert_allclose(vote[0], [2 / 3, 1 / 3, 0], atol=1e-3)


def test_a_tied_vote_goes_to_the_higher_mean():
    members = [np.array([[0.6, 0.4]]), np.array([[0.1, 0.9]])]
    assert registry.derived.get("majority_vote").combine(members, {}).argmax() == 1


def test_unlike_members_are_refused():
    a = frame(30)
    base = predictions(a)
    cases = {
        "different images": predictions(a.iloc[1:]),
        "'label' of image i0_00000": predictions(a.assign(label="df")),
        "'group_id'": predictions(a.assign(group_id="g")),
        "fold 0, (val|test)": predictions(a.assign(split="val")),
        "'weight'": predictions(a.assign(weight=2.0)),
        "has the classes": predictions(decided([0], [0], classes=("mel", "nv")), ("mel", "nv")),
    }
    for words, other in cases.items():
        with pytest.raises(PredictionsError, match=words):
            derive_predictions([base, other], kind="mean_probability", names=["a", "b"])


def test_null_labels_are_alike():
    data = frame(10)
    data.loc[2, "label"] = None
    found = derive_predictions([predictions(data)] * 2, kind="mean_probability")
    assert found.frame["label"].isna().sum() == 1


def test_no_member_and_no_kind():
    with pytest.raises(PredictionsError, match="no member"):
        derive_predictions([], kind="mean_probability")
    with pytest.raises(UnknownNameError, match="mean_probability"):
        derive_predictions([predictions(frame(5))], kind="mean_probabilty")
    assert CLASSES
