"""Commands that read: what they print, and the shape of their JSON."""

import pytest

from skinbench import registry
from skinbench.cli import extras
from skinbench.cli.list_command import KINDS
from skinbench.records import AuditReport, Plan
from skinbench.store import from_plain, open_store
from skinbench.suite import shipped_suites
from tests.data.csv import make as csv_table
from tests.suite.texts import with_changes, write

TINY = with_changes(
    data={"drawn": {"adapter": "synthetic", "options": {"lesions": 40, "size": 32}}},
    rows={
        "a": {"model": "baseline_cnn"},
        "b": {"model": {"name": "baseline_cnn", "weights": {"row": "a"}}},
    },
    grids={
        "g": {
            "model": "baseline_cnn",
            "technique": ["none", "focal"],
            "exclude": [{"technique": "focal"}],
        }
    },
    derived={"mean": {"kind": "mean_probability", "of": ["a", "b"]}},
    splits={"by_lesion": {"data": "drawn", "group": "image", "test": 0.3, "leakage": "keep"}},
)


# --- plan ---


def test_plan_as_json(shell, tmp_path):
    write(tmp_path, TINY)
    found = shell("plan", "suite.yaml", "--json").json
    assert set(found) == {"plan", "done", "audit", "leaks", "searches", "estimate"}
    assert found["estimate"] is None
    plan = from_plain(Plan, found["plan"])
    assert [row.name for row in plan.rows if row.kind == "fit"] == ["a", "b", "g/none"]
    assert from_plain(AuditReport, found["audit"]).policies == {"by_lesion": "keep"}
    assert found["done"] == []
    assert "share a lesion with train" in found["leaks"]["by_lesion"]
    fit = plan.cells[0].fit
    open_store().publish("fits", fit, lambda folder: (folder / "x").write_text("x"))
    assert shell("plan", "suite.yaml", "--json").json["done"] == [fit]
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("width", [80, 200])
def test_plan_as_text(shell, tmp_path, width):
    write(tmp_path, TINY)
    shell.monkeypatch.setenv("COLUMNS", str(width))
    text = shell("plan", "suite.yaml").out
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "small: 7 rows, 7 cells, 5 fits (0 done)" in words
    assert "leakage: keep" in words
    assert "excluded g/focal: excluded by the grid (technique: focal)" in words
    assert "to make 1 of 1 pixel store, 5 of 5 fits" in words
    assert "not checked patients: drawn has no patient_id" in words
    assert "pixels 32 px, a" in words
    assert "2 rows" in words
    assert ("baseline_cnn" in text) == (width == 200)


def test_plan_takes_overrides(shell, tmp_path):
    write(tmp_path, TINY)
    plan = shell("plan", "suite.yaml", "--json", "--only", "a", "--set", "defaults.epochs=9").json
    assert [row["name"] for row in plan["plan"]["rows"] if row["kind"] == "fit"] == ["a"]
    assert plan["plan"]["rows"][0]["settings"]["epochs"] == 9
    assert "no row matches" in shell.error("plan", "suite.yaml", "--only", "zzz")
    assert "no profile 'x'" in shell.error("plan", "suite.yaml", "--profile", "x")


def test_plan_takes_several_profiles(shell, tmp_path):
    profiles = {"small": {"defaults": {"epochs": 2}}, "long": {"defaults": {"epochs": 7}}}
    write(tmp_path, {**TINY, "profiles": profiles})
    words = ["--profile", "small", "--profile", "long", "--only", "a", "--json"]
    plan = shell("plan", "suite.yaml", *words).json["plan"]
    assert plan["rows"][0]["settings"]["epochs"] == 7


def test_plan_names_the_images_that_cleaning_leaves_out(shell, tmp_path):
    csv_table.make(tmp_path / "table", images=48)
    for number in range(7):
        (tmp_path / f"table/photos/p{number:03d}.jpg").unlink()
    mine = {
        "adapter": "csv",
        "root": "table",
        "options": {"table": "metadata.csv", **csv_table.OPTIONS},
        "labels": ["Melanoma", "Benign nevus", "Other"],
        "cleaning": {"missing_file": "quarantine"},
    }
    rows = {"a": {"model": "baseline_cnn"}}
    write(tmp_path, with_changes(data={"drawn": mine}, rows=rows))
    words = " ".join(shell("plan", "suite.yaml").out.split())
    line = "7 rows with no image file: 7 rows left out: p000, p001, p002, p003, p004, ..."
    assert line in words


def test_one_of_a_thing_is_not_several(shell, tmp_path):
    one = {"rows": {"a": {"model": "baseline_cnn"}}, "grids": {}, "derived": {}}
    write(tmp_path, {**TINY, **one, "baselines": False})
    words = " ".join(shell("plan", "suite.yaml").out.split())
    assert "1 row, 1 cell, 1 fit (0 done), 1 evaluation" in words
    assert "1 of 1 pixel store, 1 of 1 fit" in words


# --- list ---


@pytest.mark.parametrize("kind", KINDS)
def test_list_each_kind(shell, kind):
    found = shell("list", kind, "--json").json
    assert list(found) == [kind]
    assert all(set(item) == {"name", "description"} for item in found[kind])
    names = [item["name"] for item in found[kind]]
    assert names == (list(shipped_suites()) if kind == "suites" else registry.KINDS[kind].names())
    text = shell("list", kind).out
    assert text.startswith(f"{kind}:\n")
    assert max(map(len, text.splitlines())) <= 80
    assert all(f"  {name}  " in text for name in names)


def test_list_everything_and_plug_ins(shell, tmp_path, monkeypatch):
    assert list(shell("list", "--json").json) == list(KINDS)
    path = tmp_path / "mine_alone.py"
    path.write_text('"""Mine."""\nKIND = "metrics"\nENTRY = None\n')
    monkeypatch.setenv("SKINBENCH_PLUGINS", str(path))
    found = shell("list", "metrics", "--json").json["metrics"]
    assert {"name": "mine_alone", "description": "Mine."} in found


# --- doctor ---


def test_doctor_as_json(shell):
    done = shell("doctor", "--json")
    assert all(set(item) == {"name", "state", "detail", "advice"} for item in done.json)
    assert {item["state"] for item in done.json} <= {"ok", "warn", "missing"}
    names = [item["name"] for item in done.json]
    assert {"python", "torch", "ray", "cores", "memory", "gpu", "store"} <= set(names)
    assert done.code == any(item["state"] == "missing" for item in done.json)


def findings(shell):
    return {item["name"]: item for item in shell("doctor", "--json").json}


def test_doctor_says_what_to_do_about_what_is_missing(shell, monkeypatch, tmp_path):
    monkeypatch.delenv("SKINBENCH_DATA", raising=False)
    monkeypatch.delenv("SKINBENCH_WEIGHTS", raising=False)
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == "timm" else object())
    monkeypatch.setattr("skinbench.cli.doctor_command.shutil.which", lambda name: None)
    done = shell("doctor")
    assert done.code == 1
    assert "missing  timm: not installed\n         -> pip install 'skinbench[run]'" in done.out
    assert "warn     SKINBENCH_DATA: not set\n         -> set it to the folder" in done.out
    assert "gpu: none found" in done.out
    lines = [line for line in done.out.splitlines() if str(tmp_path) not in line]  # a path is whole
    assert max(map(len, lines)) <= 80
    found = findings(shell)
    assert found["SKINBENCH_WEIGHTS"]["state"] == "warn"
    assert found["SKINBENCH_WEIGHTS"]["advice"]


def test_doctor_looks_into_the_folders(shell, monkeypatch, tmp_path):
    monkeypatch.setenv("SKINBENCH_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("SKINBENCH_WEIGHTS", str(tmp_path / "weights"))
    found = findings(shell)
    assert found["SKINBENCH_DATA"]["state"] == found["SKINBENCH_WEIGHTS"]["state"] == "warn"
    assert "unpack a dataset there" in found["SKINBENCH_DATA"]["advice"]
    (tmp_path / "data" / "ham10000").mkdir(parents=True)
    (tmp_path / "weights").mkdir()
    (tmp_path / "weights" / "w.safetensors").write_bytes(b"")
    found = findings(shell)
    assert found["SKINBENCH_DATA"]["detail"].endswith(": ham10000")
    assert found["SKINBENCH_WEIGHTS"]["detail"].endswith(": w.safetensors")
    assert found["SKINBENCH_DATA"]["state"] == found["SKINBENCH_WEIGHTS"]["state"] == "ok"


@pytest.mark.parametrize("reachable", [True, False])
def test_doctor_goes_online_only_when_asked(shell, monkeypatch, reachable):
    calls = []

    class Connection:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

    def connect(address, timeout):
        calls.append(address)
        if not reachable:
            raise OSError("no route")
        return Connection()

    monkeypatch.setattr("skinbench.cli.doctor_command.socket.create_connection", connect)
    shell("doctor")
    assert calls == []
    hub = shell("doctor", "--online", "--json").json[-1]
    assert calls == [("huggingface.co", 443)]
    assert (hub["name"], hub["state"]) == ("hub", "ok" if reachable else "warn")
    assert ("weights: {file:" in hub["advice"]) == (not reachable)


# --- cache ---


def test_cache(shell, tmp_path):
    assert shell("cache", "list", "--json").json == {
        "root": str(tmp_path / "store"),
        "bytes": 0,
        "objects": [],
    }
    store = open_store()
    folder = store.publish("fits", "x", lambda folder: (folder / "f").write_bytes(b"1" * 2000))
    listed = shell("cache", "list", "--json").json
    assert [set(item) for item in listed["objects"]] == [{"kind", "name", "bytes", "created"}]
    assert listed["bytes"] > 2000
    assert "fits" in shell("cache", "list").out
    assert shell("cache", "verify", "--json").json == {
        "root": str(tmp_path / "store"),
        "checked": 1,
        "problems": [],
    }
    (folder / "f").write_bytes(b"2" * 2000)
    done = shell("cache", "verify", "--json")
    assert (done.code, done.json["problems"]) == (1, ["fits/x: damaged: f"])
    done = shell("cache", "verify")
    assert (done.code, "1 damaged: remove" in done.out) == (1, True)
    assert shell("cache", "clear", "--kind", "pixels", "--yes").code == 0
    assert store.has("fits", "x")
    assert shell("cache", "clear", "--yes").out.startswith("removed ")
    assert store.objects() == []
