import dataclasses

import numpy as np
import pandas as pd
import pytest

from skinbench import registry
from skinbench.errors import PredictionsError, UnknownNameError, UsageError
from skinbench.records.entries import ValMembers
from skinbench.score.derive import derive_predictions
from tests.score.drawn import CLASSES, decided, frame, predictions

ALONE = [name for name in registry.derived.names() if registry.derived.get(name).members == 1]
MANY = [name for name in registry.derived.names() if name not in ALONE]
FITTED = [name for name in registry.derived.names() if registry.derived.get(name).learn]


def with_val(n=80, val=0.5, **options):
    """A table whose first images are val."""
    data = frame(n, **options)
    data.loc[: int(n * val) - 1, "split"] = "val"
    return data


@pytest.mark.parametrize("kind", [n for n in MANY if n != "mean_rank"])
def test_a_model_combined_with_itself_decides_alike(kind):
    member = predictions(with_val(80))
    found = derive_predictions([member, member, member], kind=kind)
    np.testing.assert_array_equal(
        found.probabilities().argmax(axis=1), member.probabilities().argmax(axis=1)
    )
    np.testing.assert_allclose(found.probabilities().sum(axis=1), 1, atol=1e-6)
    facts = ["image_id", "group_id", "label", "split", "fold", "condition", "weight"]
    assert found.frame[facts].equals(member.frame[facts])


@pytest.mark.parametrize("kind", ["mean_probability", "mean_logit", "weighted_mean"])
def test_a_model_combined_with_itself_is_that_model(kind):
    member = predictions(with_val(50))
    found = derive_predictions([member, member], kind=kind)
    np.testing.assert_allclose(found.probabilities(), member.probabilities(), atol=1e-6)


@pytest.mark.parametrize("kind", MANY)
def test_members_in_any_order_and_rows_in_any_order(kind):
    a, b = with_val(60, seed=1), with_val(60, seed=2)
    first = derive_predictions([predictions(a), predictions(b)], kind=kind)
    again = derive_predictions(
        [predictions(b.sample(frac=1, random_state=0)), predictions(a)], kind=kind
    )
    exact = {"rtol": 0, "atol": 1e-6 if kind in FITTED else 0}
    np.testing.assert_allclose(first.probabilities(), again.probabilities(), **exact)


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


def test_members_are_combined_where_all_were_predicted():
    """One member has a condition and a dataset more than the other."""
    data = frame(30)
    more = pd.concat([data, data.assign(condition="blur@1"), data.assign(dataset="elsewhere")])
    found = derive_predictions([predictions(more), predictions(data)], kind="mean_probability")
    assert set(found.frame["condition"]) == {"none"}
    assert set(found.frame["dataset"]) == set(data["dataset"])
    both = derive_predictions([predictions(more)] * 2, kind="mean_probability")
    assert len(both.frame) == 3 * len(data)


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


# --- fitted on val ------------------------------------------------------------------------


@pytest.mark.parametrize("kind", FITTED)
def test_what_is_fitted_sees_val_alone(kind):
    """Test images, their labels and altered val images may be anything."""
    skills = ((1, 1.0), (2, 3.0))[: registry.derived.get(kind).members]
    members = [with_val(90, seed=seed, skill=skill) for seed, skill in skills]
    before = derive_predictions([predictions(m) for m in members], kind=kind)
    columns = [name for name in members[0] if name.startswith("p_")]
    test = members[0]["split"] == "test"
    blurred = members[0][~test].assign(condition="blur@3", split="test", label="nv")
    changed = []
    for member in members:
        other = member.copy()
        other.loc[test, "label"] = "vasc"
        other.loc[test, columns] = other.loc[test, columns].to_numpy()[:, ::-1]
        more = blurred.copy()
        more[columns] = member[~test][columns].to_numpy()[:, ::-1]
        changed.append(pd.concat([other, more], ignore_index=True))
    after = derive_predictions([predictions(m) for m in changed], kind=kind)
    val = before.frame["split"] == "val"
    kept = (after.frame["split"] == "val").to_numpy()
    assert np.array_equal(before.probabilities()[val], after.probabilities()[kept])
    assert before.metadata == after.metadata


@pytest.mark.parametrize("kind", FITTED)
def test_without_val_nothing_is_fitted(kind):
    count = registry.derived.get(kind).members or 2
    with pytest.raises(PredictionsError, match=f"'{kind}' of a is fitted on val"):
        derive_predictions([predictions(frame(20))] * count, kind=kind, names=["a", "b"][:count])
    unlabelled = with_val(20).assign(label=None)
    with pytest.raises(PredictionsError, match="no labelled val images"):
        derive_predictions([predictions(unlabelled)] * count, kind=kind)


def log_loss(p, labels):
    return -np.log(p[np.arange(len(labels)), labels]).mean()


def drawn_val(n=300, skills=(0.5, 2.0, 1.5)):
    frames = [frame(n, seed=seed, skill=skill) for seed, skill in enumerate(skills)]
    members = [predictions(data).probabilities() for data in frames]
    order = predictions(frames[0]).frame
    labels = np.array([CLASSES.index(label) for label in order["label"]])
    return ValMembers(probabilities=members, labels=labels, weights=np.ones(n))


def test_weights_are_the_best_of_the_simplex():
    entry, val = registry.derived.get("weighted_mean"), drawn_val()
    weights = entry.learn(val, {})
    assert weights.sum() == pytest.approx(1)
    assert (weights >= 0).all()
    assert weights[1] > weights[0]

    def loss(weights):
        return log_loss(entry.combine(val.probabilities, {"learnt": weights}), val.labels)

    best = loss(weights)
    generator = np.random.default_rng(0)
    assert all(loss(generator.dirichlet(np.ones(3))) >= best - 1e-9 for _ in range(300))
    assert all(loss(corner) >= best for corner in np.eye(3))
    assert entry.describe(weights, ("a", "b", "c")).startswith("weights a 0.")


def test_weights_follow_the_images_weights():
    """Copied images count as often as they are copied."""
    entry, val = registry.derived.get("weighted_mean"), drawn_val(80, (0.5, 1.0))
    copies = np.random.default_rng(0).integers(1, 4, 80)
    heavy = dataclasses.replace(val, weights=copies.astype(float))
    repeated = ValMembers(
        probabilities=[np.repeat(p, copies, axis=0) for p in val.probabilities],
        labels=np.repeat(val.labels, copies),
        weights=np.ones(copies.sum()),
    )
    assert entry.learn(heavy, {}) == pytest.approx(entry.learn(repeated, {}), abs=1e-6)


def test_stacking_one_member_keeps_its_ranking():
    entry, val = registry.derived.get("stacking"), drawn_val(300, (1.0,))
    (member,) = val.probabilities
    stacked = entry.combine([member], {"learnt": entry.learn(val, entry.options)})
    np.testing.assert_array_equal(np.argsort(stacked, axis=1), np.argsort(member, axis=1))
    # With two classes the order of the images too.
    two = member[:, :2] / member[:, :2].sum(axis=1, keepdims=True)
    binary = ValMembers(
        probabilities=[two],
        labels=(two[:, 1] + np.random.default_rng(0).normal(0, 0.4, 300) > 0.5).astype(np.int64),
        weights=np.ones(300),
    )
    for bias in (False, True):
        learnt = entry.learn(binary, {**entry.options, "bias": bias})
        found = entry.combine([two], {"learnt": learnt})[:, 1]
        np.testing.assert_array_equal(np.argsort(found), np.argsort(two[:, 1]))


def test_stacking_mends_confidence_and_finds_the_useful_member():
    entry, val = registry.derived.get("stacking"), drawn_val(600, (2.0, 0.0))
    sure = val.probabilities[0] ** 4
    sure /= sure.sum(axis=1, keepdims=True)
    val = dataclasses.replace(val, probabilities=[sure, val.probabilities[1]])
    for bias in (False, True):
        coefficients, biases = entry.learn(val, {**entry.options, "bias": bias})
        assert 0.05 < coefficients[0] < 0.6, "too sure by the power of four"
        assert biases.any() == bias
        found = entry.combine(val.probabilities, {"learnt": (coefficients, biases)})
        assert log_loss(found, val.labels) < log_loss(np.maximum(sure, 1e-9), val.labels)


def test_stacking_is_at_its_best():
    """No small step from what was found makes val's penalised log loss less."""
    entry, val = registry.derived.get("stacking"), drawn_val(300)
    options = {**entry.options, "bias": True}
    coefficients, biases = entry.learn(val, options)

    def loss(x):
        p = entry.combine(val.probabilities, {"learnt": (x[:3], x[3:])})
        return log_loss(p, val.labels) + 0.5 * options["penalty"] * float(x @ x)

    best = np.r_[coefficients, biases]
    generator = np.random.default_rng(0)
    for _ in range(200):
        step = generator.normal(0, 0.01, len(best))
        other = best + step
        other[:3] = np.maximum(other[:3], 0)
        assert loss(other) >= loss(best) - 1e-7


@pytest.mark.parametrize("options", [{"penalty": 0}, {"penalty": True}, {"bias": 1}])
def test_stacking_options_that_cannot_be(options):
    entry = registry.derived.get("stacking")
    with pytest.raises(UsageError, match="stacking: "):
        entry.check({**entry.options, **options})
    assert entry.check(entry.options) is None


def test_ranks_do_not_ask_how_sure_a_member_is():
    entry, val = registry.derived.get("mean_rank"), drawn_val(300, (1.0, 2.0))
    first, second = val.probabilities
    two = [p[:, :2] / p[:, :2].sum(axis=1, keepdims=True) for p in (first, second)]
    val = dataclasses.replace(val, probabilities=two)

    def ranked(members):
        learnt = entry.learn(dataclasses.replace(val, probabilities=members), {})
        return entry.combine(members, {"learnt": learnt})

    def sharper(p):
        raised = p**5
        return raised / raised.sum(axis=1, keepdims=True)

    found = ranked(two)
    np.testing.assert_allclose(ranked([sharper(two[0]), two[1]]), found, atol=1e-9)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    # Val's own ranks: the middle of each, from 1 / 2N to 1 - 1 / 2N.
    alone = entry.combine(two[:1], {"learnt": entry.learn(val, {})[:1]})
    np.testing.assert_allclose(np.sort(alone[:, 1]), (np.arange(300) + 0.5) / 300, atol=1e-9)
    # Beyond what val has, order stays.
    edge = np.array([[1e-9, 1 - 1e-9], [1e-12, 1 - 1e-12], [1.0, 0.0], [0.0, 1.0]])
    far = entry.combine([edge], {"learnt": entry.learn(val, {})[:1]})[:, 1]
    assert far[2] == 0 < far[0] < far[1] < far[3] == 1
