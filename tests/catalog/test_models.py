from __future__ import annotations

import importlib.util
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.neighbors import KNeighborsClassifier

from skinbench import registry
from skinbench.catalog.models import _hub
from skinbench.catalog.models import timm as family
from skinbench.errors import UnknownNameError, UsageError


def build(name, size, **options):
    entry = registry.models.get(name)
    return entry.build({**entry.options, **options}, None, False, size)


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


# --- baseline CNN ---------------------------------------------------------------------


@pytest.mark.torch
def test_baseline_cnn_at_128_px_by_hand():
    import torch

    encoder = build("baseline_cnn", 128)
    convolutions = (3 * 3 * 3 * 32 + 32) + (3 * 3 * 32 * 64 + 64)
    batch_norms = 2 * 32 + 2 * 64
    dense = (32 * 32 * 64 * 64 + 64) + (64 * 64 + 64)
    assert count(encoder) == convolutions + batch_norms + dense == 4_218_112
    assert encoder(torch.zeros(2, 3, 128, 128)).shape == (2, 64)
    assert encoder.num_features == 64
    layer, reshape = registry.models.get("baseline_cnn").target_layer(encoder)
    assert isinstance(layer, torch.nn.ReLU)
    assert reshape is None


@pytest.mark.torch
def test_baseline_cnn_has_no_weights_to_load(tmp_path):
    entry = registry.models.get("baseline_cnn")
    with pytest.raises(UsageError, match="no pretrained weights"):
        entry.build({}, None, True, 32)
    with pytest.raises(UsageError, match="under 4"):
        entry.build({}, None, False, 3)


# --- timm -----------------------------------------------------------------------------


def test_names_are_known_without_importing_timm_or_torch():
    code = (
        "import sys\n"
        "from skinbench import registry\n"
        "assert registry.models.get('mobilenetv2_100').has_weights\n"
        "assert registry.models.get('mobilenetv2_100.ra_in1k').has_weights\n"
        "for kind in registry.KINDS.values():\n"
        "    for name in kind.names():\n"
        "        kind.describe(name)\n"
        "light = 'models inputs techniques augments explainers conditions pixels'.split()\n"
        "for name in light:\n"
        "    [registry.KINDS[name].get(entry) for entry in registry.KINDS[name].names()]\n"
        "loaded = {'torch', 'timm', 'kornia', 'sklearn', 'pytorch_grad_cam'} & set(sys.modules)\n"
        "assert not loaded, loaded\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.torch
def test_the_scan_finds_what_timm_lists():
    import timm

    known = family.known_models()
    listed = set(timm.list_models())
    assert listed <= set(known)
    assert not [name for name in known if not timm.is_model(name)]
    refused = [
        name
        for name in timm.list_models(pretrained=True)
        if not registry.models.get(name).has_weights
    ]
    assert not refused


def test_a_near_name_is_suggested_and_others_are_unknown():
    with pytest.raises(UnknownNameError, match="did you mean 'mobilenetv2_100'"):
        registry.models.get("mobilenetv2_1000")
    with pytest.raises(UnknownNameError, match=r"known: .*ra_in1k"):
        registry.models.get("mobilenetv2_100.no_such_tag")
    with pytest.raises(UnknownNameError, match="did you mean 'majority'"):
        registry.models.get("majorty")
    with pytest.raises(UnknownNameError, match="unknown model '"):
        registry.models.get("../../etc/passwd")


def test_without_timm_any_plausible_name_is_taken(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    family.known_models.cache_clear()
    try:
        assert family.resolve("resnet1234") is not None
        assert family.resolve("Not A Name") is None
    finally:
        family.known_models.cache_clear()


@pytest.mark.torch
@pytest.mark.parametrize(
    ("name", "width"),
    [
        pytest.param("mobilenetv2_035", 1280, marks=pytest.mark.slow),
        # timm's num_features says 288
        pytest.param("mobilenetv3_small_050", 1024, marks=pytest.mark.slow),
        ("test_resnet", 96),
        ("test_efficientnet", 256),
        ("test_vit", 64),
        ("swin_tiny_patch4_window7_224", 192),
    ],
)
def test_features_and_target_layer(name, width):
    import torch

    small = {"embed_dim": 24, "depths": [1, 1, 1, 1]} if name.startswith("swin") else {}
    encoder = build(name, 64, **small).eval()
    batch = torch.rand(2, 3, 64, 64)
    features = encoder(batch)
    assert features.shape == (2, encoder.num_features)
    assert encoder.num_features == width
    layer, reshape = registry.models.get(name).target_layer(encoder)
    kept = {}
    layer.register_forward_hook(lambda _m, _i, output: kept.update(map=output))
    encoder(batch)
    seen = kept["map"] if reshape is None else reshape(kept["map"])
    assert seen.ndim == 4
    assert seen.shape[0] == 2
    assert seen.shape[2] == seen.shape[3] > 1
    if name.startswith(("mobilenetv2", "test_resnet", "swin")):
        assert seen.shape[1] == width
        assert seen.mean(dim=(2, 3)).detach().numpy() == pytest.approx(
            features.detach().numpy(), abs=1e-4
        )


@pytest.mark.torch
def test_an_unreachable_hub_says_how_to_use_a_file(monkeypatch):
    import timm

    def unreachable(*_args, **_kwargs):
        raise OSError("name resolution failed\nmore")

    monkeypatch.setattr(timm, "create_model", unreachable)
    monkeypatch.setattr(family, "unreachable", lambda: "")
    with pytest.raises(family.WeightsUnavailableError) as caught:
        registry.models.get("test_resnet").build({}, None, True, 32)
    assert "weights: {file:" in str(caught.value)
    assert "pretrained: false" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.torch
def test_a_missing_network_is_noticed_once_and_soon(monkeypatch, tmp_path):
    import huggingface_hub
    from huggingface_hub import constants

    asked = []

    class Dead:
        def head(self, url, timeout):
            asked.append((url, timeout))
            raise OSError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "get_session", Dead)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(_hub, "_answered", False)
    monkeypatch.setattr(_hub, "_failure", None)
    offline = constants.HF_HUB_OFFLINE
    monkeypatch.setattr("time.sleep", lambda seconds: asked.append(("slept", seconds)))
    for name in ("test_resnet", "test_vit"):
        with pytest.raises(family.WeightsUnavailableError) as caught:
            registry.models.get(name).build({}, None, True, 32)
        assert "no answer from https://" in str(caught.value)
        assert "Name or service not known" in str(caught.value)
        assert "weights: {file:" in str(caught.value)
    assert [timeout for _, timeout in asked] == [_hub.TIMEOUT], "the client's own tries wait long"
    assert offline == constants.HF_HUB_OFFLINE


def test_an_answer_of_any_kind_is_an_answer(monkeypatch):
    import huggingface_hub

    asked = []

    class Alive:
        def head(self, url, timeout):
            asked.append(url)
            return 403

    monkeypatch.setattr(huggingface_hub, "get_session", Alive)
    monkeypatch.setattr(_hub, "_answered", False)
    monkeypatch.setattr(_hub, "_failure", None)
    assert [_hub.unreachable(), _hub.unreachable()] == ["", ""]
    assert len(asked) == 1


@pytest.mark.torch
def test_files_that_do_not_fit(tmp_path):
    from safetensors.torch import save_file

    entry = registry.models.get("test_resnet")
    junk = tmp_path / "junk.safetensors"
    junk.write_bytes(b"not safetensors")
    with pytest.raises(UsageError, match=r"not a readable \.safetensors"):
        entry.build({}, junk, False, 32)
    other = tmp_path / "other.safetensors"
    save_file(build("mobilenetv2_035", 32).state_dict(), other)
    with pytest.raises(UsageError, match="does not fit model test_resnet: lacks"):
        entry.build({}, other, False, 32)


@pytest.mark.torch
def test_impossible_options_and_sizes():
    with pytest.raises(UsageError, match="timm cannot build it"):
        build("test_resnet", 32, no_such_option=1)
    with pytest.raises(UsageError, match="name the model itself"):
        registry.models.get("timm").build({}, None, False, 32)


@pytest.mark.torch
@pytest.mark.real
def test_the_real_weights_load(tmp_path):
    import os
    from pathlib import Path

    import torch
    from safetensors.torch import load_file

    root = os.environ.get("SKINBENCH_WEIGHTS")
    if not root or not Path(root).is_dir():
        pytest.skip("SKINBENCH_WEIGHTS is not set")
    path = Path(root) / "mobilenetv2_100_rot180.safetensors"
    encoder = registry.models.get("mobilenetv2_100").build({}, path, False, 64)
    assert torch.equal(encoder.conv_stem.weight, load_file(path)["conv_stem.weight"])


# --- baselines without a network ------------------------------------------------------


@pytest.fixture
def plain_data():
    generator = np.random.default_rng(3)
    labels = generator.integers(0, 3, 120)
    table = pd.DataFrame(
        {
            "age": np.where(generator.random(120) < 0.1, np.nan, 30.0 + 15 * labels),
            "sex": generator.choice(np.array(["female", "male", None], dtype=object), 120),
            "site": np.where(labels == 2, "back", "face").astype(object),
            "dx_type": np.array(["histo"] * 120, dtype=object),
        }
    )
    pixels = generator.integers(0, 256, (120, 48, 48, 3), dtype=np.uint8)
    return pixels, table, labels.astype(np.int64)


@pytest.mark.parametrize("name", ["majority", "metadata_only", "nearest_neighbour"])
def test_baselines_give_probabilities_from_arrays_alone(name, plain_data, tmp_path):
    from safetensors.numpy import load_file, save_file

    pixels, table, labels = plain_data
    model = registry.models.get(name).plain()
    state = model.fit(pixels, table, labels, 4, 0)  # class 3 has no train image
    save_file(state, tmp_path / "s.safetensors")
    found = model.predict(load_file(tmp_path / "s.safetensors"), pixels[:9], table[:9])
    assert found.dtype == np.float32
    assert found.shape == (9, 4)
    assert found.sum(axis=1) == pytest.approx(np.ones(9), abs=1e-6)
    assert (found > 0).all()


def test_majority_is_the_smoothed_shares(plain_data):
    pixels, table, labels = plain_data
    model = registry.models.get("majority").plain()
    found = model.predict(model.fit(pixels, table, labels, 3, 0), pixels, table)
    assert found[0] == pytest.approx((np.bincount(labels) + 1) / 123)


def test_metadata_only_learns_and_takes_unknown_values(plain_data):
    pixels, table, labels = plain_data
    model = registry.models.get("metadata_only").plain()
    state = model.fit(pixels, table, labels, 3, 0)
    assert (model.predict(state, pixels, table).argmax(1) == labels).mean() > 0.9
    odd = pd.DataFrame({"age": [np.nan], "sex": [None], "site": ["moon"]})
    assert np.isfinite(model.predict(state, pixels[:1], odd)).all()
    changed = table.assign(dx_type="follow_up")
    assert np.array_equal(
        model.predict(state, pixels, table), model.predict(state, pixels, changed)
    )


@pytest.mark.parametrize("classes", [(0,), (0, 2)])
def test_metadata_only_with_one_or_two_classes(plain_data, classes):
    pixels, table, labels = plain_data
    keep = np.isin(labels, classes)
    model = registry.models.get("metadata_only").plain()
    state = model.fit(pixels[keep], table[keep], labels[keep], 3, 0)
    found = model.predict(state, pixels[keep], table[keep])
    assert set(found.argmax(1)) <= set(classes)
    assert (found.argmax(1) == labels[keep]).mean() > 0.9


def test_nearest_neighbour_equals_scikit_learn_in_any_block(plain_data, monkeypatch):
    from skinbench.catalog.models import nearest_neighbour as module

    pixels, table, labels = plain_data
    model = registry.models.get("nearest_neighbour").plain()
    state = model.fit(pixels[:80], table[:80], labels[:80], 3, 0)
    found = model.predict(state, pixels[80:], table[80:])
    oracle = KNeighborsClassifier(1, algorithm="brute").fit(
        state["thumbnails"].astype(float), labels[:80]
    )
    queries = module._thumbnails(pixels[80:]).astype(float)
    assert np.array_equal(found.argmax(1), oracle.predict(queries))
    assert found.max() == pytest.approx(1 - 0.01 + 0.01 / 3)
    monkeypatch.setattr(module, "QUERY_ROWS", 7)
    monkeypatch.setattr(module, "TRAIN_ROWS", 11)
    assert np.array_equal(model.predict(state, pixels[80:], table[80:]), found)


def test_the_earliest_of_equal_neighbours_wins(plain_data):
    pixels, table, _ = plain_data
    same = np.repeat(pixels[:1], 3, axis=0)
    model = registry.models.get("nearest_neighbour").plain()
    state = model.fit(same, table[:3], np.array([2, 0, 1]), 3, 0)
    assert model.predict(state, same[:1], table[:1]).argmax() == 2
