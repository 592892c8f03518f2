import subprocess
import sys
from pathlib import Path

import pytest

from skinbench import registry
from skinbench.errors import UnknownNameError, UsageError
from skinbench.records import TechniqueEntry
from skinbench.registry import Registry, suggest

PLUGIN = '''"""Halve the loss of every image.

More words.
"""
from skinbench.records import TechniqueEntry

KIND = "techniques"
ENTRY = TechniqueEntry(version=1, options={"by": 2})
'''


@pytest.fixture
def techniques(monkeypatch) -> Registry[TechniqueEntry]:
    """A registry of techniques that the test may add to."""
    fresh: Registry[TechniqueEntry] = Registry("techniques", TechniqueEntry)
    monkeypatch.setitem(registry.KINDS, "techniques", fresh)
    monkeypatch.setattr(registry, "techniques", fresh)
    return fresh


def plugin(folder: Path, text: str = PLUGIN, name: str = "halved") -> Path:
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "known", "expected"),
    [
        ("recal", ["recall", "auroc"], "did you mean 'recall'?"),
        ("zzz", ["b", "a"], "known: a, b"),
        ("zzz", [f"n{i}" for i in range(20)], "known: n0, n1, n10, n11, n12, n13, n14, n15, ..."),
        ("x", [], "none are known"),
        ("image", ["p1/cnn/by_image", "p1/cnn/by_lesion"], "did you mean 'p1/cnn/by_image'?"),
        ("mobilnetv2", ["p1/mobilenetv2/by_image"], "did you mean 'p1/mobilenetv2/by_image'?"),
        ("cnn", ["p1/cnn/a", "p1/cnn/b"], "did you mean 'p1/cnn/a' or 'p1/cnn/b'?"),
    ],
)
def test_suggestions(name, known, expected):
    assert suggest(name, known) == expected


def test_names_cost_no_import():
    code = (
        "import sys; from skinbench import registry\n"
        "names = {k: [(n, r.describe(n)) for n in r.names()] for k, r in registry.KINDS.items()}\n"
        "assert all(names.values()), names\n"
        "parts = [m for m in sys.modules if m.startswith('skinbench.catalog.')]\n"
        "assert {m for m in parts if m.count('.') > 2} == set(), parts\n"
        "assert not {'torch', 'timm', 'ray'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=240)


@pytest.mark.parametrize("kind", sorted(registry.KINDS))
def test_every_entry_has_a_description_and_a_version(kind):
    found = registry.KINDS[kind]
    assert found.names() == sorted(set(found.names()))
    for name in found.names():
        assert not name.startswith("_")
        assert found.describe(name).endswith(".")
        assert len(found.describe(name)) <= 100
        assert found.source_digest(name) is None
        if (kind, name) != ("models", "timm"):
            entry = found.get(name)
            assert entry.version >= 1
            assert found.get(name) is entry


@pytest.mark.parametrize(
    ("kind", "name", "part"),
    [
        ("metrics", "recal", "did you mean 'recall'?"),
        ("techniques", "_private", "known: balanced_subset, "),
        ("datasets", "", "known: csv"),
        ("models", "baseline_cn", "did you mean 'baseline_cnn'?"),
        ("inputs", "../x", "known: film"),
    ],
)
def test_a_miss_names_the_nearest(kind, name, part):
    with pytest.raises(UnknownNameError, match=f"unknown {kind.removesuffix('s')} '") as caught:
        registry.KINDS[kind].get(name)
    assert part in str(caught.value)


def test_a_plug_in_joins_without_being_run(tmp_path, techniques):
    path = plugin(tmp_path, PLUGIN + "raise RuntimeError('run')\n")
    registry.load_plugin(path)
    assert "halved" in techniques.names()
    assert techniques.describe("halved") == "Halve the loss of every image."
    with pytest.raises(UsageError, match=r"halved\.py: fails on import: RuntimeError: run"):
        techniques.get("halved")
    plugin(tmp_path)
    assert techniques.get("halved").options == {"by": 2}


def test_a_plug_ins_digest_follows_its_source(tmp_path, techniques):
    path = plugin(tmp_path)
    registry.load_plugin(path)
    first = techniques.source_digest("halved")
    assert len(first) == 64
    path.write_text(PLUGIN + "# more\n")
    assert techniques.source_digest("halved") != first


def test_an_annotated_kind_counts(tmp_path, techniques):
    registry.load_plugin(plugin(tmp_path, PLUGIN.replace("KIND =", "KIND: str =")))
    assert "halved" in techniques.names()


def test_names_are_taken_once(tmp_path, techniques):
    path = plugin(tmp_path)
    registry.load_plugin(path)
    registry.load_plugin(path)
    registry.load_plugin(tmp_path / "." / "halved.py")
    (tmp_path / "other").mkdir()
    with pytest.raises(UsageError, match="technique 'halved' exists already; rename"):
        registry.load_plugin(plugin(tmp_path / "other"))
    with pytest.raises(UsageError, match="technique 'focal' exists already"):
        registry.load_plugin(plugin(tmp_path, name="focal"))


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("KIND = 'techniques'\n", "has no top-level ENTRY"),
        ("ENTRY = 1\n", "needs a top-level KIND, one of augments, conditions"),
        ("KIND = 'technique'\nENTRY = 1\n", "needs a top-level KIND"),
        ("KIND = 3\n", "needs a top-level KIND"),
        ("KIND = ['techniques']\n", "needs a top-level KIND"),
        ("def\n", "is not valid Python"),
        ("x = '\0'\n", "is not valid Python"),
    ],
)
def test_files_that_are_no_plug_in(tmp_path, techniques, text, part):
    path = plugin(tmp_path, text)

    def use():
        registry.load_plugin(path)
        techniques.get("halved")

    with pytest.raises(UsageError) as caught:
        use()
    assert str(caught.value).startswith(str(path))
    assert part in str(caught.value)


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(UsageError, match="no such plug-in file"):
        registry.load_plugin(tmp_path / "absent.py")
    with pytest.raises(UsageError, match="no such plug-in file"):
        registry.load_plugin(tmp_path)
    path = tmp_path / "latin.py"
    path.write_bytes(b"# \xe9\n")
    with pytest.raises(UsageError, match="is not valid Python"):
        registry.load_plugin(path)


def test_plug_ins_by_environment(tmp_path, techniques, monkeypatch):
    one, two = plugin(tmp_path), plugin(tmp_path, name="second")
    monkeypatch.setenv("SKINBENCH_PLUGINS", f"{one}:{two}:")
    registry.load_plugins_from_environment()
    assert {"halved", "second"} <= set(techniques.names())
    monkeypatch.setenv("SKINBENCH_PLUGINS", str(tmp_path / "absent.py"))
    with pytest.raises(UsageError, match="no such plug-in file"):
        registry.load_plugins_from_environment()


@pytest.mark.parametrize(
    ("kind", "said"),
    [("techniques", "technique"), ("datasets", "dataset"), ("derived", "kind of derived row")],
)
def test_what_is_unknown_is_one_thing(kind, said):
    with pytest.raises(UnknownNameError, match=f"unknown {said} 'zzz'; "):
        registry.KINDS[kind].get("zzz")
