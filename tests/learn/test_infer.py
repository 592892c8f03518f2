from __future__ import annotations

import numpy as np
import pytest

from skinbench import registry
from skinbench.errors import CorruptObjectError, DataError, UnknownNameError, UsageError
from skinbench.learn.conditions import parse_condition, takes_strength
from skinbench.learn.features import encoding_seconds, feature_digest
from skinbench.learn.fit import train_fits
from skinbench.learn.forward import Forward
from skinbench.learn.infer import PredictRequest, group_requests, predict_fits
from skinbench.learn.scorer import Scorer
from skinbench.records import FitSpec, NamedSpec
from skinbench.store import read_record
from tests.learn.world import CLASSES, fit_id, make_world, network, no_epochs

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def fits(world) -> dict[str, str]:
    frozen = network("test_resnet", frozen=True)
    specs = {
        "cnn": world.spec(),
        "fusion": world.spec(input=NamedSpec(name="fusion_concat")),
        "metadata": world.spec(input=NamedSpec(name="metadata")),
        "head": world.spec(model=frozen),
        "head_focal": world.spec(model=frozen, technique=NamedSpec(name="focal")),
        "nearest": world.spec(model=network("nearest_neighbour")),
        "threads": world.spec(threads=2),
    }
    names = {key: fit_id(spec) for key, spec in specs.items()}
    pack = {names[key]: spec for key, spec in specs.items()}
    records = train_fits(pack, world.store, weights={}, on_epoch=no_epochs)
    assert {record.error for record in records.values()} == {""}
    return names


def ask(world, names, ids=None, condition="none"):
    return [
        PredictRequest(
            fit_id=name,
            dataset=world.manifest.digest,
            image_ids=ids or world.ids("test"),
            condition=condition,
        )
        for name in names
    ]


def predict(world, requests, workers=1, batch_size=4, **more):
    return predict_fits(
        requests, world.store, weights={}, workers=workers, batch_size=batch_size, **more
    )


def test_the_bytes_do_not_depend_on_workers_company_or_order(world, fits):
    ids = tuple(world.manifest.table["image_id"])
    requests = [
        *ask(world, fits.values(), ids),
        *ask(world, fits.values()),
        *ask(world, [fits["cnn"], fits["head"]], condition="blur@3"),
        *ask(world, [fits["cnn"], fits["head"]], condition="hair@3"),
    ]
    one, three = predict(world, requests, workers=1), predict(world, requests, workers=3)
    assert all(left.tobytes() == right.tobytes() for left, right in zip(one, three, strict=True))
    for request, expected in list(zip(requests, one, strict=True))[::3]:
        turned = PredictRequest(
            fit_id=request.fit_id,
            dataset=request.dataset,
            image_ids=request.image_ids[::-1],
            condition=request.condition,
        )
        (alone,) = predict(world, [turned])
        assert alone[::-1].tobytes() == expected.tobytes()


def test_probabilities_are_probabilities(world, fits):
    for found in predict(world, ask(world, fits.values())):
        assert found.dtype == np.float32
        assert found.shape == (len(world.ids("test")), len(CLASSES))
        assert found.sum(axis=1) == pytest.approx(np.ones(len(found)), abs=1e-6)
        assert (found > 0).all()


def test_a_scorer_for_ray_data_agrees_with_the_process(world, fits):
    names = [name for key, name in fits.items() if key != "threads"]
    scorer = Scorer(str(world.store.root), names, dataset=world.manifest.digest)
    rows = scorer.rows(world.ids("test"))
    expected = predict(world, ask(world, names))
    for size in (1, 5):
        parts = [scorer({"row": rows[start : start + size]}) for start in range(0, len(rows), size)]
        assert np.array_equal(np.concatenate([part["row"] for part in parts]), rows)
        for name, known in zip(names, expected, strict=True):
            found = np.concatenate([part[name] for part in parts])
            assert found == pytest.approx(known, abs=1e-5)
            assert np.array_equal(found.argmax(axis=1), known.argmax(axis=1))


def test_stored_features_and_the_encoder_agree(world, fits, monkeypatch):
    scorer = Scorer(world.store.root, [fits["head"]], dataset=world.manifest.digest)
    rows = scorer.rows(world.ids("test"))
    stored = scorer.probabilities(rows)[fits["head"]]
    monkeypatch.setattr(scorer, "_features", {})
    assert scorer.probabilities(rows)[fits["head"]] == pytest.approx(stored, abs=1e-5)


def test_an_encoder_shared_by_heads_runs_once(world, fits, monkeypatch):
    names = [fits["head"], fits["head_focal"]]
    scorer = Scorer(
        world.store.root, names, dataset=world.manifest.digest, condition="brightness@2"
    )
    calls = []
    encode = Forward.__call__
    monkeypatch.setattr(Forward, "__call__", lambda *given: calls.append(1) or encode(*given))
    assert len(scorer.probabilities(np.arange(6))) == 2
    assert calls == [1]


def test_conditions_change_predictions_and_only_then_the_encoder_runs(world, fits):
    plain, blurred = (
        predict(world, ask(world, [fits["cnn"]], condition=c))[0] for c in ("none", "blur@5")
    )
    assert np.abs(plain - blurred).max() > 1e-4


def test_features_of_a_dataset_not_trained_on_are_made(tmp_path, world, fits):
    other = make_world(tmp_path, seed=9)
    request = ask(world, [fits["head"]])[0]
    # The other dataset's objects, in the store where the fit is.
    from skinbench.data.manifest import publish_manifest
    from skinbench.data.pixels import build_pixels

    publish_manifest(other.manifest, world.store)
    build_pixels(other.manifest, 32, world.store, workers=1)
    elsewhere = PredictRequest(
        fit_id=request.fit_id, dataset=other.manifest.digest, image_ids=request.image_ids
    )
    (found,) = predict(world, [elsewhere])
    assert len(found) == len(request.image_ids)
    spec = world.spec(model=network("test_resnet", frozen=True))
    assert world.store.has("features", feature_digest(spec, other.manifest.digest))


def test_progress_counts_to_the_end(world, fits):
    seen = []
    requests = ask(world, [fits["cnn"], fits["head"]])
    predict(world, requests, progress=lambda *item: seen.append(item))
    assert seen[-1] == ("predict", 2 * len(world.ids("test")), 2 * len(world.ids("test")))


def test_no_images_is_an_empty_table(world, fits):
    request = PredictRequest(fit_id=fits["cnn"], dataset=world.manifest.digest, image_ids=())
    assert predict(world, [request])[0].shape == (0, 3)


def test_errors_name_what_is_wrong(world, fits):
    with pytest.raises(DataError, match="image nobody is not in dataset"):
        predict(world, ask(world, [fits["cnn"]], ("nobody",)))
    with pytest.raises(CorruptObjectError, match="fits/none"):
        predict(world, ask(world, ["none"]))
    with pytest.raises(UsageError, match="threads"):
        Scorer(world.store.root, [fits["cnn"], fits["threads"]], dataset=world.manifest.digest)
    with pytest.raises(UsageError, match="workers"):
        predict(world, [], workers=0)
    with pytest.raises(UnknownNameError, match="did you mean 'blur'"):
        predict(world, ask(world, [fits["cnn"]], condition="blurr@3"))
    for text in ("blur", "blur@0", "blur@6", "blur@x", "blur@"):
        with pytest.raises(UsageError, match="NAME@1"):
            parse_condition(text)
    assert parse_condition("none") is None
    strong = [name for name in registry.conditions.names() if takes_strength(name)]
    assert {parse_condition(f"{name}@3") for name in strong} == {(name, 3) for name in strong}


def test_groups_read_the_same_pixels_with_the_same_settings(world, fits):
    test, val = world.ids("test"), world.ids("val")
    requests = [
        *ask(world, [fits["cnn"], fits["threads"], fits["head"]], test),
        *ask(world, [fits["cnn"]], val),
        *ask(world, [fits["fusion"]], test[::-1]),
        *ask(world, [fits["cnn"]], test, "blur@1"),
    ]
    assert group_requests(requests, world.store) == [[0, 2, 4], [1], [3], [5]]


def test_heads_of_one_frozen_encoder_share_it_in_memory(world, fits):
    names = [fits["head"], fits["head_focal"]]
    scorer = Scorer(world.store.root, names, dataset=world.manifest.digest)
    first, second = (member.fit.network for member in scorer._members)
    assert first.encoder is second.encoder
    assert first.head is not second.head


def test_every_request_is_timed_by_itself(world, fits):
    requests = ask(world, fits.values())
    took: dict[int, float | None] = {}
    predict(world, requests, workers=2, timed=took.__setitem__)
    assert sorted(took) == list(range(len(requests)))
    assert all(seconds is not None and seconds > 0 for seconds in took.values())


def test_stored_features_bring_the_time_of_their_encoder(world, fits):
    (request,) = ask(world, [fits["head"]])
    spec = read_record(world.store.open("fits", request.fit_id) / "spec.json", FitSpec)
    assert spec.stored_features
    digest = feature_digest(spec, world.manifest.digest)
    each = encoding_seconds(world.store, digest)
    took: dict[int, float | None] = {}
    predict(world, [request], timed=took.__setitem__)
    assert took[0] > each * len(request.image_ids)
