"""A cell out of a run: the same model, with its evidence, or no folder at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from skinbench.bundle.images import read_image, squares
from skinbench.bundle.model import BundleModel
from skinbench.bundle.reading import open_bundle
from skinbench.data.pixels import build_pixels
from skinbench.errors import CorruptObjectError, SkinbenchError, UsageError
from skinbench.learn.saved import load_fit
from skinbench.pipeline.exporting import ExportRequest, export, export_cell, parity, speed
from skinbench.records import Scorecard
from skinbench.score.predictions import read_predictions
from skinbench.store import read_record, write_json
from tests.bundle.world import bundle, world

pytestmark = [pytest.mark.torch, pytest.mark.slow]


def answers(cell: str, split: str = "test"):
    """A bundle's probabilities of a split's images from their files, beside the run's own."""
    made, run = bundle(cell), world()
    model = BundleModel(open_bundle(made.root))
    frame = read_predictions(run.folder.prediction(made.bundle.cell)).frame
    frame = frame[(frame["split"] == split) & (frame["condition"] == "none")]
    table = run.drawn.table.set_index("image_id", drop=False).loc[frame["image_id"]]
    images = [read_image((run.drawn.root / path).read_bytes()).image for path in table["path"]]
    pixels = {
        size: np.stack([squares(image, [size])[size] for image in images]) for size in model.sizes
    }
    names = [f"p_{code}" for code in made.bundle.classes]
    return model.answer(pixels, table).probabilities, frame[names].to_numpy()


@pytest.mark.parametrize("cell", ["calm", "both", "frozen"])
def test_val_and_test_files_get_the_runs_own_probabilities(cell):
    for split in ("test", "val"):
        ours, theirs = answers(cell, split)
        assert len(ours) > 30
        assert np.abs(ours - theirs).max() <= 1e-4
        assert (ours.argmax(axis=1) == theirs.argmax(axis=1)).all()


@pytest.mark.parametrize("cell", ["calm", "both", "frozen"])
def test_the_bundle_states_its_proof(cell):
    made = bundle(cell).bundle
    assert made.parity.images == made.test_images > 30
    assert made.parity.largest_difference <= made.parity.tolerance == 1e-4
    assert made.parity.decisions == 2 * made.parity.images, "by argmax, and at one threshold"
    assert made.parity.scores > 100
    assert made.parity.pixels_checked > 20


def test_the_evidence_is_the_scorecards_own():
    made, card = bundle("calm").bundle, read_record(world().folder.scorecard, Scorecard)
    scores = {
        (s.metric, s.class_): (s.value, s.low, s.high)
        for s in card.scores
        if (s.row, s.dataset, s.condition, s.seed, s.slice) == ("calm", "drawn", "none", None, None)
    }
    assert len(made.evidence) > 30
    for item in made.evidence:
        assert (item.value, item.low, item.high) == scores[item.metric, item.class_]
    (theirs,) = (p for p in card.operating if p.row == "calm")
    (ours,) = made.points
    assert replace(ours, scores=theirs.scores) == theirs
    assert [(s.metric, s.value) for s in ours.scores] == [
        (s.metric, s.value) for s in theirs.scores
    ]
    assert {item.prevalence for item in made.prevalence} >= {0.01, 0.1}


def test_n_of_a_share_is_what_it_is_a_share_of():
    made = bundle("calm").bundle
    frame = read_predictions(world().folder.prediction("calm@0.0")).frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    test = test[test["dataset"] == "drawn"]
    scores = test[[f"p_{code}" for code in made.classes]].to_numpy()
    threshold = made.points[0].thresholds[0].value
    is_mel = (test["label"] == "mel").to_numpy()
    argmax = scores.argmax(axis=1) == made.classes.index("mel")
    above = scores[:, made.classes.index("mel")] >= threshold
    for found, called in ((made.evidence, argmax), (made.points[0].scores, above)):
        of = {s.metric: s for s in found if s.class_ == "mel"}
        assert [of[name].n for name in ("recall", "specificity")] == [is_mel.sum(), (~is_mel).sum()]
        assert (of["precision"].n, of["negative_predictive_value"].n) == (
            called.sum(),
            (~called).sum(),
        )
        assert (is_mel & called).sum() == round((of["recall"].value or 0) * of["recall"].n)
    assert 0 < above.sum() < len(test) != argmax.sum()
    whole = {s.metric: s.n for s in made.evidence}
    assert whole["auroc"] == whole["accuracy"] == made.test_images == len(test)


def test_who_gets_the_folder_can_read_it():
    files = list(bundle("both").root.iterdir())
    assert len(files) > 6
    assert {path.stat().st_mode & 0o777 for path in files} == {files[0].stat().st_mode & 0o777}
    text = next(path for path in files if path.suffix == ".md")
    assert text.stat().st_mode & 0o444 == files[0].stat().st_mode & 0o444


def test_speed_counts_every_view_on_one_thread_of_any_machine(monkeypatch):
    made, run = bundle("frozen"), world()
    fit = load_fit(made.bundle.networks[0].fit, run.store, {})
    train = replace(fit.spec.train, device="cuda", threads=4)
    fit = replace(fit, spec=replace(fit.spec, train=train))
    passes, threads = [], set()
    monkeypatch.setattr(
        speed,
        "torch_predictor",
        lambda _: (
            lambda pixels, _rows: (
                passes.append(len(pixels)),
                threads.add(torch.get_num_threads()),
            )
        ),
    )
    found = speed.measure_speed(BundleModel(open_bundle(made.root)), [fit])
    assert found.threads == 1
    assert threads == {1}
    assert passes.count(1) == 2 * speed.ALONE, "none and hflip"
    assert passes.count(speed.BATCH) == 2 * (1 + speed.IMAGES // speed.BATCH)
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    passes.clear()
    speed.measure_speed(BundleModel(open_bundle(made.root)), [fit])
    assert passes == [32, 32, 32, 32, 1, 1], "a slow network is timed once"


def test_a_decoded_file_is_the_pixel_stores_image_byte_for_byte():
    run = world()
    store = build_pixels(run.drawn, 32, run.store, workers=1)
    for row, path in enumerate(run.images(40)):
        made = squares(read_image(path.read_bytes()).image, [32])[32]
        assert made.tobytes() == store.images[row].tobytes()


def test_temperature_ensemble_views_and_maps_are_carried():
    calm, both, frozen = (bundle(name).bundle for name in ("calm", "both", "frozen"))
    assert calm.temperature == pytest.approx(float(calm.steps[-1].learnt))
    assert "temperature" in calm.steps[-1].words
    assert calm.networks[0].maps
    assert [len(item.networks) for item in (calm, both, frozen)] == [1, 2, 1]
    assert frozen.networks[0].views == ("none", "hflip")
    fused = next(item for item in both.networks if item.metadata is not None)
    assert not fused.maps
    assert "metadata" in fused.no_maps
    assert (calm.opset, calm.focus, calm.malignant) == (18, "mel", ("akiec", "bcc", "mel"))


def test_a_centre_crop_and_a_coarser_label_space_are_carried():
    cropped = bundle("calm").bundle.networks[0]
    assert cropped.seen == (4, 24)
    joined = bundle("pooled@malignant,ak=malignant").bundle
    assert joined.classes == ("benign", "malignant")
    assert joined.focus == "malignant"
    assert joined.networks[0].codes is not None
    assert joined.networks[0].codes["mel"] == "malignant"


def test_the_file_takes_any_number_of_images_and_tells_nothing_of_this_machine():
    import onnx

    root = bundle("calm").root
    model = onnx.load(root / "network-0.onnx")
    onnx.checker.check_model(model)
    assert model.opset_import[0].version == 18
    assert all(
        item.type.tensor_type.shape.dim[0].dim_param
        for item in (*model.graph.input, *model.graph.output)
    )
    assert str(world().home.parent).encode() not in (root / "network-0.onnx").read_bytes()
    assert b".py" not in (root / "network-0.onnx").read_bytes()


def test_the_same_fit_gives_the_same_files():
    calm, both = bundle("calm"), bundle("both")
    place = next(n for n in both.bundle.networks if n.fit == calm.bundle.networks[0].fit)
    for one, other in (("network-0.onnx", place.file), ("network-0.safetensors", place.tensors)):
        assert (calm.root / one).read_bytes() == (both.root / other).read_bytes()


def request(tmp_path, cell, folder=None):
    run = world()
    return ExportRequest(
        folder=folder or run.folder, cell=cell, out=tmp_path / "out", store=run.store
    )


@pytest.mark.parametrize(
    ("cell", "part"),
    [
        ("baseline/by_lesion/majority", "is a plain baseline without a network"),
        ("poled", "no cell 'poled' in this run; did you mean 'pooled'?"),
        ("seeds", "has 2 cells; name one of seeds@0.0, seeds@0.1"),
    ],
)
def test_what_cannot_leave_is_one_line_and_no_folder(tmp_path, cell, part):
    with pytest.raises(UsageError, match=part) as raised:
        export_cell(request(tmp_path, cell), lambda *_: None)
    assert "\n" not in str(raised.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bound", ["TOLERANCE", "SCORES"])
def test_an_export_that_is_not_the_fit_leaves_nothing(tmp_path, monkeypatch, bound):
    made = bundle("calm")

    def copied(_link, _fit, place, root):
        network = made.bundle.networks[place]
        for name in (network.file, network.tensors):
            shutil.copy(made.root / name, root / name)
        return network

    monkeypatch.setattr(export, "write_network", copied)
    monkeypatch.setattr(parity, bound, -1.0)
    with pytest.raises(UsageError, match="nothing was written"):
        export_cell(request(tmp_path, "calm"), lambda *_: None)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_there_stays_as_it_is(tmp_path):
    (tmp_path / "out").mkdir()
    with pytest.raises(UsageError, match="exists already"):
        export_cell(request(tmp_path, "calm"), lambda *_: None)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("name", ["network-0.onnx", "likeness.safetensors", "card.md"])
def test_a_changed_file_is_refused(tmp_path, name):
    root = tmp_path / "copy"
    root.mkdir()
    for path in bundle("calm").root.iterdir():
        (root / path.name).write_bytes(path.read_bytes())
    assert open_bundle(root).digest == open_bundle(root / "bundle.json").digest
    (root / name).write_bytes((root / name).read_bytes() + b" ")
    with pytest.raises(CorruptObjectError, match=name):
        open_bundle(root)
    (root / name).unlink()
    with pytest.raises(SkinbenchError, match="missing from the bundle"):
        open_bundle(root)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"schema": 99}, "schema 99"),
        ({"answer": "nothing"}, "nothing called"),
        ({"files": {}}, "no digest"),
        ({"networks": 3}, "is not a Bundle"),
    ],
)
def test_a_bundle_that_makes_no_sense_is_refused(tmp_path, change, part):
    plain = json.loads((bundle("calm").root / "bundle.json").read_text())
    write_json(tmp_path / "bundle.json", {**plain, **change})
    for name in plain["files"]:
        (tmp_path / name).write_bytes((bundle("calm").root / name).read_bytes())
    with pytest.raises(SkinbenchError, match=part):
        open_bundle(tmp_path)


def test_warnings_are_measured_on_val():
    likeness = bundle("calm").bundle.likeness
    assert likeness is not None
    assert [c.name for c in likeness.checks] == ["size", "shape", "sharpness", "colour", "features"]
    for check in (*likeness.checks,):
        alarms = check.false_alarms
        assert alarms.n > 10
        assert alarms.low <= alarms.share <= alarms.high
    assert likeness.any_false_alarms.n < likeness.checks[0].false_alarms.n, "half chose a limit"


def test_the_card_is_the_runs_own_behind_what_was_exported():
    text = (bundle("calm").root / "card.md").read_text()
    assert text.startswith("# calm\n\n**Research software, not a medical device")
    assert "STARD-AI" in text
    assert text.count("\n# ") == 0


def test_nothing_of_a_private_image_is_in_a_bundle_but_a_word_about_it():
    made = bundle("calm")
    assert any("which the suite calls private" in note for note in made.bundle.notes)
    ids = world().drawn.table["image_id"].tolist()
    groups = set(world().drawn.table["group_id"])
    for path in made.root.iterdir():
        if path.suffix in {".json", ".md"}:
            text = path.read_text()
            assert not [name for name in (*ids, *groups) if name in text], path.name
