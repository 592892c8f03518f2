"""`skinbench verify` as a user calls it."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch

PLUGIN = '''"""One convolution, pooled."""

from skinbench.records import ModelEntry

KIND = "models"


def build(options, weights_path, pretrained, image_size):
    from torch import nn

    encoder = nn.Sequential(
        nn.Conv2d(3, options["width"], 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()
    )
    encoder.num_features = WIDTH
    return encoder


def target_layer(encoder):
    return encoder[1], None


ENTRY = ModelEntry(version=1, build=build, target_layer=target_layer, options={"width": 8})
'''


@pytest.fixture
def plugin(tmp_path, monkeypatch):
    def write(width='options["width"]'):
        path = tmp_path / "pooled.py"
        path.write_text(PLUGIN.replace("WIDTH", width), encoding="utf-8")
        return path

    return write


def test_a_class_of_ones_own_passes(shell, plugin):
    words = ("pooled", "--plugin", plugin(), "--option", "width=6", "--image-size", 32)
    done = shell("verify", *words)
    assert done.code == 0, done
    assert "pooled at 32 px: 217 parameters with its head" in done.out
    for step in ("build", "forward", "backward", "save", "load", "explain"):
        assert f"  {step:<9} ok" in done.out
    assert "peak memory: " in done.out
    found = shell("verify", *words, "--json").json
    assert found["options"] == {"width": 6}
    assert found["parameters"] == (3 * 6 * 9 + 6) + (6 * 7 + 7) == 217
    assert [step["status"] for step in found["steps"]] == ["ok"] * 6


def test_a_class_that_fails_says_where_and_what_next(shell, plugin):
    done = shell("verify", "pooled", "--plugin", plugin("9"), "--image-size", 32)
    assert done.code == 1
    assert "forward   failed" in done.out
    assert "-> " in done.out
    assert "explain   skipped           not reached" in done.out


def test_stages_are_what_train_last_counts(shell):
    done = shell("verify", "test_resnet", "--image-size", 32, "--train-last", 2)
    assert done.code == 0
    assert "of them trained" in done.out
    assert "layer3 " in done.out
    done = shell("verify", "test_resnet", "--image-size", 32, "--train-last", 9)
    assert done.code == 1
    assert "it has 5 stages (conv1, layer1, layer2, layer3, layer4)" in done.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["majority"], "is a baseline"),
        (["mobilenetv2_1000"], "did you mean 'mobilenetv2_100'?"),
        (["ft_multicnn", "--option", "dropot=1"], "has no option 'dropot'; did you mean 'dropout'"),
        (["ft_multicnn", "--option", "dropout"], "expected KEY=VALUE"),
        (["ft_multicnn", "--option", "dropout=["], "is not YAML"),
        (["ft_multicnn", "--plugin", "absent.py"], "does not exist"),
        (["ft_multicnn", "--frozen", "--train-last", "1"], "not both"),
        (["ft_multicnn", "--image-size", "8"], "not in the range"),
        ([], "Missing argument 'MODEL'"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_mistakes_are_one_line(shell, words, part):
    assert part in shell.error("verify", *words)


def test_without_torch_the_extra_is_named(shell, monkeypatch):
    monkeypatch.setattr("skinbench.cli.verify_command.missing", lambda _: ["torch"])
    assert "pip install 'skinbench[run]'" in shell.error("verify", "ft_multicnn", code=1)


def test_an_encoder_that_does_not_say_its_width_is_told_how(shell, plugin):
    done = shell("verify", "pooled", "--plugin", plugin("None"), "--image-size", 32)
    assert done.code == 1
    assert "set `num_features`" in " ".join(done.out.split())
    assert "AttributeError" not in done.out
