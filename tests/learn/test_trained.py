"""Models trained elsewhere: their files, what they give, and what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from skinbench import registry
from skinbench.errors import StoreError, UsageError
from skinbench.learn.explain import explain_cases
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.learn.saved import load_fit
from skinbench.learn.trained import Outputs, read_tensors
from skinbench.records import ModelEntry, ModelSpec, TrainedSpec, WeightsSpec
from skinbench.store import file_digest
from tests.learn.world import CLASSES, NO_WEIGHTS, fit_id, no_epochs

pytestmark = [pytest.mark.torch, pytest.mark.slow]

MEAN, STD = (0.5, 0.4, 0.3), (0.2, 0.25, 0.3)


def spec_of(
    world, path, name="test_resnet", *, outputs="logits", classes=CLASSES, seen=None, **changes
):
    """The spec of a file, as the plan writes it."""
    spec = world.spec(classes=classes, epochs=0, **changes)
    model = ModelSpec(
        name=name,
        weights=WeightsSpec(kind="file", digest=file_digest(path), mean=MEAN, std=STD),
        trained=TrainedSpec(outputs=outputs, seen=seen),
    )
    return dataclasses.replace(spec, datasets={}, split="", model=model)


def take(world, path, name="test_resnet", **changes):
    spec = spec_of(world, path, name, **changes)
    fit = fit_id(spec)
    weights = {spec.model.weights.digest: path}
    record = train_fits({fit: spec}, world.store, weights=weights, on_epoch=no_epochs)[fit]
    return fit, record


def probabilities(world, fit, ids=None, **options):
    ids = world.ids("test") if ids is None else ids
    request = PredictRequest(fit_id=fit, dataset=world.manifest.digest, image_ids=ids)
    settings = {"weights": {}, "workers": 1, "batch_size": 5, **options}
    return predict_fits([request], world.store, **settings)[0]


def images(world):
    """Test images normalised by hand [N, 3, 32, 32]."""
    from skinbench.learn.arrays import Sources

    store = Sources(world.store).pixels(world.manifest.digest, 32)
    pixels = torch.from_numpy(store.images[store.rows(list(world.ids("test")))].copy())
    unit = pixels.permute(0, 3, 1, 2).float() / 255
    return (unit - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)


@pytest.fixture(scope="module")
def resnet():
    import timm

    torch.manual_seed(5)
    return timm.create_model("test_resnet", num_classes=3).eval()


@pytest.fixture
def checkpoint(resnet, tmp_path):
    path = tmp_path / "x.pth"
    torch.save(resnet.state_dict(), path)
    return path


def by_hand(world, model):
    with torch.inference_mode():
        return torch.softmax(model(images(world)).double(), dim=1).numpy()


# --- timm checkpoints ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrap",
    [
        lambda state: state,
        lambda state: {"state_dict": state, "epoch": 3},
        lambda state: {"model": {f"module.{key}": value for key, value in state.items()}},
        lambda state: {f"_orig_mod.{key}": value for key, value in state.items()},
    ],
    ids=["bare", "state_dict", "module", "compiled"],
)
def test_a_checkpoint_gives_what_timm_gives(fresh, resnet, tmp_path, wrap):
    path = tmp_path / "x.pth"
    torch.save(wrap(resnet.state_dict()), path)
    fit, record = take(fresh, path)
    assert (record.status, record.error) == ("done", "")
    assert (record.best_epoch, record.history) == (None, ())
    assert record.parameters == sum(p.numel() for p in resnet.parameters())
    assert record.trainable_parameters == 0
    assert probabilities(fresh, fit) == pytest.approx(by_hand(fresh, resnet), abs=1e-5)


def test_safetensors_and_pth_give_the_same_bits(fresh, resnet, checkpoint, tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(resnet.state_dict(), path)
    ours, theirs = take(fresh, path)[0], take(fresh, checkpoint)[0]
    assert ours != theirs
    assert np.array_equal(probabilities(fresh, ours), probabilities(fresh, theirs))


def test_a_taken_over_model_needs_its_file_no_more(fresh, checkpoint):
    fit, _ = take(fresh, checkpoint)
    before = probabilities(fresh, fit)
    checkpoint.unlink()
    again = load_fit(fit, fresh.store, {})
    assert again.network.mean.flatten().tolist() == pytest.approx(list(MEAN))
    assert np.array_equal(probabilities(fresh, fit), before)


def test_heatmaps_of_a_taken_over_model(fresh, tmp_path):
    import timm

    torch.manual_seed(0)
    path = tmp_path / "vit.pth"
    torch.save(timm.create_model("test_vit", num_classes=3, img_size=32).state_dict(), path)
    fit, record = take(fresh, path, "test_vit")
    assert record.error == ""
    ids = fresh.ids("test")[:3]
    heat = explain_cases(fit, ids, fresh.manifest.digest, fresh.store, weights={})
    assert heat.shape == (3, 32, 32)
    assert heat.max() > 0


def test_probabilities_stay_what_they_are():
    shares = torch.tensor([[0.7, 0.2, 0.1], [0.0, 1.0, 0.0]])
    found = torch.softmax(Outputs(probabilities=True, sigmoid=False)(shares), dim=1)
    assert found.numpy() == pytest.approx(shares.numpy(), abs=1e-6)
    p = torch.tensor([[0.3], [0.999]])
    pair = torch.softmax(Outputs(probabilities=True, sigmoid=True)(p), dim=1)
    assert pair[:, 1].numpy() == pytest.approx(p[:, 0].numpy(), abs=1e-5)


# --- what is refused ----------------------------------------------------------------------------


class Unsafe:
    def __reduce__(self):
        return (print, ("code of a stranger",))


def refused(world, path, name="test_resnet", **changes):
    record = take(world, path, name, **changes)[1]
    assert record.status == "failed"
    assert "\n" not in record.error
    return record.error


def test_files_that_are_no_checkpoint(fresh, tmp_path, capsys):
    path = tmp_path / "x.pth"
    for content, part in (
        ({"state_dict": {"a": Unsafe()}}, "no checkpoint of tensors alone"),
        ([1, 2], "holds no state_dict, but a list"),
        ({}, "holds no state_dict"),
        ({"weight": torch.zeros(1), "epoch": 3}, "holds 1 value beside its tensors (epoch"),
    ):
        torch.save(content, path)
        error = refused(fresh, path)
        assert part in error
        assert str(path) in error
    assert "code of a stranger" not in capsys.readouterr().out
    path.write_bytes(b"junk")
    assert "no checkpoint of tensors alone" in refused(fresh, path)
    other = tmp_path / "x.safetensors"
    other.write_bytes(b"junk")
    assert "not a readable .safetensors" in refused(fresh, other)


def test_another_model_another_number_of_labels(fresh, checkpoint):
    error = refused(fresh, checkpoint, classes=(*CLASSES, "df"))
    assert "fc.bias is 3 in the file and 4 for 4 outputs at 32 px; check `labels`" in error
    assert "does not fit model test_efficientnet: lacks" in refused(
        fresh, checkpoint, "test_efficientnet"
    )
    assert "is a baseline without a network" in refused(fresh, checkpoint, "majority")


def test_outputs_that_are_not_what_is_stated(fresh, checkpoint, resnet, tmp_path):
    assert "its outputs are no probabilities" in refused(fresh, checkpoint, outputs="probabilities")
    broken = {key: value * float("nan") for key, value in resnet.state_dict().items()}
    path = tmp_path / "nan.pth"
    torch.save(broken, path)
    assert "not finite" in refused(fresh, path)


def test_a_file_that_changed_since_the_plan(fresh, checkpoint):
    spec = spec_of(fresh, checkpoint)
    checkpoint.write_bytes(b"other")
    weights = {spec.model.weights.digest: checkpoint}
    with pytest.raises(StoreError, match="has changed since"):
        train_fits({"f": spec}, fresh.store, weights=weights, on_epoch=no_epochs)
    assert (
        "was not handed over"
        in train_fits({"f": spec}, fresh.store, weights=NO_WEIGHTS, on_epoch=no_epochs)["f"].error
    )


# --- one's own class, and a fit of skinbench ------------------------------------------------------


class Mine(torch.nn.Module):
    """Mean colour through one layer; `shares` gives probabilities itself."""

    def __init__(self, outputs, shares=False):
        super().__init__()
        self.layer, self.shares = torch.nn.Linear(3, outputs), shares

    def forward(self, pixels):
        logits = self.layer(pixels.mean(dim=(2, 3)))
        return torch.softmax(logits, dim=1) if self.shares else logits


@pytest.fixture
def mine(monkeypatch):
    def register(**options):
        def whole(_options, n_outputs, _image_size):
            return Mine(n_outputs, **options)

        monkeypatch.setitem(registry.models._loaded, "mine", ModelEntry(version=1, whole=whole))
        torch.manual_seed(1)
        return Mine(3, **options).eval()

    return register


@pytest.mark.parametrize("shares", [False, True])
def test_ones_own_class(fresh, mine, tmp_path, shares):
    model, path = mine(shares=shares), tmp_path / "mine.pt"
    torch.save(model.state_dict(), path)
    stated, other = ("probabilities", "logits") if shares else ("logits", "probabilities")
    fit, record = take(fresh, path, "mine", outputs=stated)
    assert record.error == ""
    with torch.inference_mode():
        expected = model(images(fresh))
    expected = expected if shares else torch.softmax(expected, dim=1)
    assert probabilities(fresh, fit) == pytest.approx(expected.numpy(), abs=1e-5)
    assert "say `outputs:" in refused(fresh, path, "mine", outputs=other)


def test_one_sigmoid_of_ones_own_class(fresh, mine, tmp_path):
    mine()
    model, path = Mine(1).eval(), tmp_path / "mine.pt"
    torch.save(model.state_dict(), path)
    fit, record = take(fresh, path, "mine", classes=("rest", "mel"), output="sigmoid")
    assert record.error == ""
    with torch.inference_mode():
        p = torch.sigmoid(model(images(fresh)))[:, 0].numpy()
    found = probabilities(fresh, fit)
    assert found[:, 1] == pytest.approx(p, abs=1e-5)
    assert found[:, 0] == pytest.approx(1 - p, abs=1e-5)


def test_a_fit_of_skinbench_is_a_file_too(fresh):
    spec = fresh.spec(epochs=1)
    name = fit_id(spec)
    train_fits({name: spec}, fresh.store, weights=NO_WEIGHTS, on_epoch=no_epochs)
    path = fresh.store.open("fits", name) / "model.safetensors"
    taken = dataclasses.replace(spec_of(fresh, path, "baseline_cnn"))
    own = dataclasses.replace(taken.model.weights, mean=(0.0,) * 3, std=(1.0,) * 3)
    taken = dataclasses.replace(taken, model=dataclasses.replace(taken.model, weights=own))
    fit = fit_id(taken)
    record = train_fits({fit: taken}, fresh.store, weights={own.digest: path}, on_epoch=no_epochs)
    assert record[fit].error == ""
    assert np.array_equal(probabilities(fresh, fit), probabilities(fresh, name))


def test_reading_tensors_keeps_names(tmp_path):
    path = tmp_path / "x.pt"
    torch.save({"model_state_dict": {"b": torch.ones(2), "a": torch.zeros(1)}}, path)
    assert sorted(read_tensors(path)) == ["a", "b"]
    with pytest.raises(UsageError, match="no checkpoint"):
        read_tensors(tmp_path / "absent.pt")


def test_a_crop_is_the_centre_of_the_stored_image(fresh, mine, tmp_path):
    """Of 32 px the inner 24, by hand, for tensors and for an ONNX file."""
    model, path = mine(), tmp_path / "mine.pt"
    torch.save(model.state_dict(), path)
    whole, part = take(fresh, path, "mine")[0], take(fresh, path, "mine", seen=24)[0]
    with torch.inference_mode():
        expected = torch.softmax(model(images(fresh)[:, :, 4:28, 4:28]), dim=1).numpy()
    assert probabilities(fresh, part) == pytest.approx(expected, abs=1e-5)
    assert not np.allclose(probabilities(fresh, whole), expected, atol=1e-4)
    onnx = write_onnx(
        tmp_path / "x.onnx",
        model.layer.weight.detach(),
        model.layer.bias.detach(),
        shape=("n", 3, 24, 24),
    )
    fit, record = take(fresh, onnx, "onnx", seen=24)
    assert record.error == ""
    assert probabilities(fresh, fit) == pytest.approx(expected, abs=1e-5)


# --- ONNX --------------------------------------------------------------------------------------


def write_onnx(path, weight, bias, *, shape=("n", 3, "h", "w"), activation=None, scale=1.0):
    """Mean colour through one layer, in a file of the given input shape."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    from onnx import TensorProto, helper, numpy_helper

    axes = [1, 2] if shape[3] == 3 else [2, 3]
    nodes = [
        helper.make_node("ReduceMean", ["image", "axes"], ["colour"], keepdims=0),
        helper.make_node("Gemm", ["colour", "weight", "bias"], ["logits"], transB=1),
    ]
    last = "logits"
    if activation:
        nodes.append(helper.make_node(activation, ["logits"], ["shares"]))
        last = "shares"
    values = {
        "axes": np.array(axes, dtype=np.int64),
        "weight": np.asarray(weight, dtype=np.float32) * scale,
        "bias": np.asarray(bias, dtype=np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, list(shape))],
        [helper.make_tensor_value_info(last, TensorProto.FLOAT, [shape[0], len(bias)])],
        [numpy_helper.from_array(value, name) for name, value in values.items()],
    )
    opset = [helper.make_opsetid("", 18)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=9), path)
    return path


@pytest.fixture
def layer():
    torch.manual_seed(2)
    return Mine(3).eval()


@pytest.mark.parametrize(
    ("shape", "activation"),
    [
        (("n", 3, "h", "w"), None),
        (("n", "h", "w", 3), None),
        ((1, 3, 32, 32), None),
        (("n", 3, 32, 32), "Softmax"),
    ],
    ids=["channels first", "channels last", "one at a time", "probabilities"],
)
def test_an_onnx_file_gives_what_its_network_gives(fresh, layer, tmp_path, shape, activation):
    weight, bias = layer.layer.weight.detach(), layer.layer.bias.detach()
    path = write_onnx(tmp_path / "x.onnx", weight, bias, shape=shape, activation=activation)
    outputs = "probabilities" if activation else "logits"
    fit, record = take(fresh, path, "onnx", outputs=outputs)
    assert record.error == ""
    found = probabilities(fresh, fit)
    assert found.dtype == np.float32
    assert found == pytest.approx(by_hand(fresh, layer), abs=1e-5)
    path.unlink()
    assert np.array_equal(probabilities(fresh, fit, workers=2), found)


def test_a_keras_like_sigmoid_file(fresh, tmp_path):
    """P3 exports one sigmoid, channels last."""
    path = write_onnx(
        tmp_path / "x.onnx",
        [[0.3, -0.2, 0.5]],
        [0.1],
        shape=("n", "h", "w", 3),
        activation="Sigmoid",
    )
    fit, record = take(
        fresh, path, "onnx", outputs="probabilities", output="sigmoid", classes=("rest", "mel")
    )
    assert record.error == ""
    colours = images(fresh).mean(dim=(2, 3)).double().numpy()
    p = 1 / (1 + np.exp(-(colours @ [0.3, -0.2, 0.5] + 0.1)))
    assert probabilities(fresh, fit)[:, 1] == pytest.approx(p, abs=1e-5)


def test_onnx_files_that_are_refused(fresh, layer, tmp_path):
    weight, bias = layer.layer.weight.detach(), layer.layer.bias.detach()
    sized = write_onnx(tmp_path / "a.onnx", weight, bias, shape=("n", 3, 64, 64))
    assert "takes images of 64 x 64 px, and `size` is 32" in refused(fresh, sized, "onnx")
    fewer = write_onnx(tmp_path / "b.onnx", weight[:2], bias[:2])
    error = refused(fresh, fewer, "onnx")
    assert "gives 2 x 2 numbers for 2 images, and `labels` names 3 classes" in error
    junk = tmp_path / "c.onnx"
    junk.write_bytes(b"junk")
    assert "onnxruntime cannot read it" in refused(fresh, junk, "onnx")
    shares = write_onnx(tmp_path / "d.onnx", weight, bias, activation="Softmax")
    assert "say `outputs: probabilities`" in refused(fresh, shares, "onnx")


def test_an_onnx_row_cannot_be_trained(fresh):
    model = registry.models.get("onnx").plain()
    with pytest.raises(UsageError, match="is only a file"):
        model.fit(np.zeros((1, 4, 4, 3), np.uint8), None, np.zeros(1, np.int64), 2, 0)


def test_without_onnxruntime_the_extra_is_named(fresh, layer, tmp_path, monkeypatch):
    path = write_onnx(tmp_path / "x.onnx", layer.layer.weight.detach(), layer.layer.bias.detach())
    monkeypatch.setitem(__import__("sys").modules, "onnxruntime", None)
    assert "pip install 'skinbench[onnx]'" in refused(fresh, path, "onnx")
