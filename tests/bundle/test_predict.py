"""`skinbench predict` on files: formats, metadata, what cannot be read, and what it needs."""

from __future__ import annotations

import csv
import io
import json
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinbench.bundle.predicting import BATCH, find_images
from skinbench.errors import UsageError
from skinbench.score.foreign_tables import read_predicted
from skinbench.score.predictions import read_predictions
from tests.bundle.world import bundle, world
from tests.cli.commands import Shell
from tests.serve import pictures

pytestmark = [pytest.mark.torch, pytest.mark.slow]


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return Shell(monkeypatch, capsys)


def expected(cell: str) -> pd.DataFrame:
    """The run's own test predictions, by image."""
    run = world()
    frame = read_predictions(run.folder.prediction(bundle(cell).bundle.cell)).frame
    test = frame[(frame["split"] == "test") & (frame["condition"] == "none")]
    return test.set_index("image_id")


def metadata_of(ids, path: Path) -> Path:
    """What the dataset says of images, by the names of ISIC's columns."""
    table = world().drawn.table.set_index("image_id").loc[list(ids)]
    renamed = table[["age", "sex", "site"]].reset_index()
    renamed.columns = ["image", "age_approx", "sex", "localization"]
    renamed.to_csv(path, index=False)
    return path


def test_a_folder_gets_the_runs_own_predictions_in_isics_format(shell, tmp_path):
    root = str(bundle("calm").root)
    done = shell("predict", root, str(world().images(1)[0].parent), "--out", "out.csv")
    assert (done.code, done.out) == (0, "")
    frame, classes = read_predicted(Path("out.csv"))
    assert classes == bundle("calm").bundle.classes
    assert len(frame) == len(world().drawn.table) > 2 * BATCH
    theirs = expected("calm")
    ours = frame.set_index("image_id").loc[theirs.index]
    for code in classes:
        assert np.abs(ours[f"p_{code}"] - theirs[f"p_{code}"]).max() <= 1e-4
    head = Path("out.csv").read_text().splitlines()[0]
    assert head == "image,AKIEC,BCC,BKL,DF,MEL,NV,VASC"


def test_a_fusion_takes_metadata_from_a_table(shell, tmp_path):
    theirs = expected("both")
    paths = dict(zip(world().drawn.table["image_id"], world().drawn.table["path"], strict=True))
    files = [str(world().drawn.root / paths[item]) for item in theirs.index]
    table = metadata_of(theirs.index, tmp_path / "facts.csv")
    root = str(bundle("both").root)
    done = shell("predict", root, *files, "--metadata", str(table), "--out", "out.parquet")
    assert done.code == 0, done.err
    ours = pd.read_parquet("out.parquet").set_index("image_id")
    for code in bundle("both").bundle.classes:
        assert np.abs(ours[f"p_{code}"] - theirs[f"p_{code}"]).max() <= 1e-4
    names = [f"p_{code}" for code in bundle("both").bundle.classes]
    best = ours[names].to_numpy().argmax(axis=1)
    assert [bundle("both").bundle.classes[place] for place in best] == ours["decided"].tolist()
    threshold = bundle("both").bundle.points[0].thresholds[0].value
    assert ((ours["p_mel"] >= threshold) == ours["called_mel_0"]).all()
    bare = shell("predict", root, *files[:3])
    assert "also reads age, sex, site" in bare.err
    assert bare.out.count("\n") == 4


def test_json_holds_decisions_and_lists_what_could_not_be_read(shell, tmp_path):
    good, bad = tmp_path / "good.png", tmp_path / "bad.jpg"
    good.write_bytes(pictures.saved(pictures.picture(), "PNG"))
    bad.write_bytes(pictures.SVG)
    (tmp_path / "cut.jpg").write_bytes(pictures.saved(pictures.picture())[:200])
    (tmp_path / "notes.txt").write_text("no image")
    done = shell("predict", str(bundle("calm").root), str(tmp_path), "--format", "json")
    assert done.code == 1
    body = json.loads(done.out)
    assert [item["image"] for item in body["predictions"]] == ["good"]
    assert sum(body["predictions"][0]["probabilities"].values()) == pytest.approx(1)
    assert body["predictions"][0]["at"][0]["class"] == "mel"
    assert sorted(Path(item["path"]).name for item in body["unreadable"]) == ["bad.jpg", "cut.jpg"]
    assert "2 of 3 files could not be read" in done.err
    assert "bad.jpg: the file is no image that can be read" in done.err


def test_two_classes_are_isics_target(shell):
    root = bundle("pooled@malignant,ak=malignant").root
    done = shell("predict", str(root), *map(str, world().images(3)))
    rows = list(csv.DictReader(io.StringIO(done.out)))
    assert list(rows[0]) == ["image_name", "target"]
    assert all(0 <= float(row["target"]) <= 1 for row in rows)


def test_words_that_the_model_never_saw_are_said(shell, tmp_path):
    one = world().images(1)[0]
    (tmp_path / "facts.csv").write_text(f"image,site,sex\n{one.stem},left knee cap,female\n")
    root = str(bundle("both").root)
    done = shell("predict", root, str(one), "--metadata", "facts.csv")
    assert done.code == 0
    assert "site: the model never saw 'left knee cap' in training (1 image)" in done.err
    other = world().images(2)[1]
    (tmp_path / "facts.csv").write_text(f"image,sex\n{one.stem},F\n")
    done = shell("predict", root, str(one), str(other), "--metadata", "facts.csv")
    assert "1 image without a row of metadata: taken as unknown" in done.err
    assert "never saw" not in done.err
    (tmp_path / "facts.csv").write_text(f"image,sex\n{one.stem},female\n")
    again = shell("predict", root, str(one), str(other), "--metadata", "facts.csv")
    assert again.out == done.out


@pytest.mark.parametrize(
    ("words", "part"),
    [
        (["nowhere/*.jpg"], "no image there"),
        (["{one}", "--metadata", "facts.csv"], "reads the image alone"),
        (["{one}", "--format", "parquet"], "needs --out"),
        (["{one}", "--out", "out.xlsx"], "writes .csv, .txt, .parquet, .pq, .json; say which"),
    ],
)
def test_mistakes_are_one_line(shell, tmp_path, words, part):
    (tmp_path / "facts.csv").write_text("image,age\na,3\n")
    words = [word.format(one=world().images(1)[0]) for word in words]
    assert part in shell.error("predict", str(bundle("calm").root), *words)
    assert list(tmp_path.glob("out*")) == []


def test_tables_of_metadata_that_make_no_sense_are_one_line(shell, tmp_path):
    root, one = str(bundle("both").root), str(world().images(1)[0])
    for text, part, code in (
        ("name,age\na,3\n", "has no column of image ids", 1),
        ("image,colour\na,3\n", "has none of age, sex, site", 1),
        ("image,age\na,3\na,4\n", "more than once (a)", 1),
        (f"image,age\n{Path(one).stem},old\n", "age: 'old' is not a number of years", 1),
        (f"image,age\n{Path(one).stem},3\nb,-1\n", "facts.csv: row 3: age: '-1' is not", 1),
        ("image,colour\na,3\n", "found image, colour\n", 1),
        ("image,age\nother,3\n", "no row for any of the 1 image; it speaks of 'other'", 1),
        ("image,age\n", "has no row below its header", 1),
    ):
        (tmp_path / "facts.csv").write_text(text)
        said = shell.error(
            "predict", root, one, "--metadata", "facts.csv", "--out", "o.csv", code=code
        )
        assert part in said
        assert not (tmp_path / "o.csv").exists()


def test_files_of_one_name_are_refused_and_patterns_are_found(tmp_path):
    for name in ("a/x.jpg", "b/x.jpg", "b/y.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    for name in ("b/._y.png", "b/.hidden/z.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(UsageError, match="are both image 'x'"):
        find_images([str(tmp_path)])
    assert [f.image_id for f in find_images([str(tmp_path / "b")])] == ["x", "y"]
    (tmp_path / "b/zlost.png").symlink_to(tmp_path / "nowhere.png")
    assert [f.image_id for f in find_images([str(tmp_path / "b")])] == ["x", "y", "zlost"]
    (tmp_path / "b/zlost.png").unlink()
    assert [f.image_id for f in find_images([str(tmp_path / "**" / "*.png")])] == ["y"]


BLOCKED = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "ray", "timm", "torchvision", "onnx", "onnxscript"):
            raise ImportError("blocked: " + name)
sys.meta_path.insert(0, Block())
from skinbench.cli import main
sys.argv = ["skinbench", *sys.argv[1:]]
main()
"""


def test_predicting_and_serving_need_neither_torch_nor_ray(tmp_path):
    root, images = str(bundle("both").root), list(map(str, world().images(3)))
    words = [sys.executable, "-c", BLOCKED, "predict", root, *images]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("\n") == 4
    code = BLOCKED.partition("from skinbench.cli")[0] + (
        "from pathlib import Path\n"
        "from starlette.testclient import TestClient\n"
        "from skinbench.bundle.model import BundleModel\n"
        "from skinbench.bundle.reading import open_bundle\n"
        "from skinbench.serve.answers import Answerer\n"
        "from skinbench.serve.app import make_app\n"
        "from skinbench.serve.guards import access_of\n"
        "app = make_app(Answerer(BundleModel(open_bundle(Path(sys.argv[1])))),"
        " access_of('127.0.0.1', 80, (), ''))\n"
        "client = TestClient(app, base_url='http://127.0.0.1:80',"
        " headers={'host': '127.0.0.1:80'})\n"
        "data = Path(sys.argv[2]).read_bytes()\n"
        "sent = client.post('/predict', files={'image': data})\n"
        "print(sent.status_code, client.get('/').status_code)\n"
    )
    words = [sys.executable, "-c", code, root, images[0]]
    done = subprocess.run(words, capture_output=True, text=True, timeout=240, check=False)
    assert done.stdout == "200 200\n", done.stderr


def test_serving_beyond_loopback_is_asked_for(shell):
    root = str(bundle("calm").root)
    said = shell.error("serve", root, "--host", "0.0.0.0")
    assert "other machines would reach the page; say --beyond-loopback" in said
    assert "16 characters" in shell.error("serve", root, "--token", "short")
    assert "is no bundle" in shell.error("serve", str(Path(root).parent))


def test_a_port_that_is_taken_is_one_line_before_an_address_is_printed(shell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = shell.error("serve", str(bundle("calm").root), "--port", str(port))
    assert said.startswith(f"error: port {port} of 127.0.0.1 cannot be used: ")
    assert "0 for any that is free" in said


def test_the_command_exports_and_says_what_came_of_it(shell, tmp_path, monkeypatch):
    run = world()
    monkeypatch.setenv("SKINBENCH_STORE", str(run.store.root))
    words = ["export", str(run.folder.root), "seeds@0.1", "--out", "out", "--point", "mel:youden"]
    done = shell(*words)
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "seeds@0.1 -> out"
    assert [line.split()[0] for line in lines[1:6]] == [
        "parity",
        "pixels",
        "size",
        "speed",
        "heatmap",
    ]
    assert (
        json.loads(Path("out/bundle.json").read_text())["points"][1]["policy"]
        == "Youden's J on val"
    )
    assert "exists already" in shell.error(*words)
    assert "expected CLASS:recall" in shell.error(*words[:5], "--point", "mel=3", "--out", "o")
