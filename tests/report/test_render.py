# ruff: noqa: RUF001
"""The whole report: golden Markdown, same bytes, escaping, no network, size, damaged folders."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from importlib import resources
from pathlib import Path
from urllib.parse import unquote

import pytest

from skinbench.errors import CorruptObjectError, StoreError
from skinbench.report.render import render_run
from skinbench.store import RunFolder
from tests.report.fixture import Wish, make_run
from tests.reports import whole_markdown

GOLDEN = Path(__file__).parent / "golden"
HOSTILE = (
    "<script>alert(1)</script>|`x`\"'&{{7*7}}[a](javascript:b)![i](http://evil.example/p.png)*_$z$"
)


def check_golden(name: str, text: str) -> None:
    path = GOLDEN / name
    if os.environ.get("SKINBENCH_WRITE_GOLDEN") == "1":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert text == path.read_text("utf-8"), (
        f"{name} changed; look at it, then set SKINBENCH_WRITE_GOLDEN=1 to keep it"
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("run") / "quickstart", Wish(rows=13))
    render_run(folder)
    return folder


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("small") / "run", Wish(rows=4, cases=4))
    render_run(folder)
    return folder


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    folder = make_run(tmp_path_factory.mktemp("hostile") / "run", Wish(hostile=HOSTILE, rows=13))
    render_run(folder)
    return folder


class Page(HTMLParser):
    """Elements, ids and addresses of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.ids: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.append((tag, name, value or ""))
            if name == "id":
                self.ids.append(value or "")
        if tag not in {"meta", "link", "img", "br", "wbr", "input", "hr"}:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in {"meta", "link", "img", "br", "wbr", "input", "hr"}:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open[-1] == tag, f"</{tag}> closes <{self.open[-1]}>"
        self.open.pop()


def test_golden_markdown_with_failed_undefined_and_missing_rows(run):
    check_golden("report.md", run.markdown.read_text("utf-8"))
    further = [path.read_text("utf-8") for path in sorted(run.further.iterdir())]
    check_golden("report_further.md", "\n".join(further))


def test_rendering_twice_gives_the_same_bytes(run):
    def contents() -> dict[str, bytes]:
        files = [run.markdown, run.html, *run.further.iterdir(), *run.figures.iterdir()]
        return {str(path): path.read_bytes() for path in files}

    first = contents()
    render_run(run)
    assert contents() == first


def test_a_copy_elsewhere_renders_to_the_same_bytes(small, tmp_path):
    copy = RunFolder(tmp_path / "elsewhere" / "other_name")
    shutil.copytree(small.root, copy.root)
    for path in (copy.markdown, copy.html):
        path.unlink()
    shutil.rmtree(copy.figures)
    render_run(copy)
    assert copy.html.read_bytes() == small.html.read_bytes()
    assert copy.markdown.read_bytes() == small.markdown.read_bytes()


def test_files_of_rows_that_are_gone_are_removed(small, tmp_path):
    copy = RunFolder(tmp_path / "run")
    shutil.copytree(small.root, copy.root)
    stale = copy.figures / "curves-gone-123456.svg"
    stale.write_text("<svg/>")
    (copy.figures / "mine.png").write_text("kept")
    page = copy.further / "cell-gone-123456.md"
    page.write_text("# Gone")
    render_run(copy)
    assert not stale.exists()
    assert not page.exists()
    assert (copy.figures / "mine.png").exists()


def test_html_is_well_formed_and_its_ids_are_unique(run):
    page = Page(run.html.read_text("utf-8"))
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    hrefs = [v for _, n, v in page.attributes if n == "href" and v.startswith("#")]
    targets = [v[1:].partition("?")[0] for v in hrefs]
    assert targets
    assert set(targets) <= set(page.ids)


@pytest.mark.parametrize("name", ["run", "hostile"])
def test_html_loads_nothing(name, request):
    text = request.getfixturevalue(name).html.read_text("utf-8")
    page = Page(text)
    assert not {"iframe", "object", "embed", "base", "form"} & set(page.tags)
    for tag, attribute, value in page.attributes:
        assert not attribute.startswith("on"), (tag, attribute)
        if attribute in {"src", "srcset", "data", "poster", "action"} or (
            attribute == "href" and tag != "a"
        ):
            assert value.startswith(("data:", "#")), (tag, attribute, value[:60])
        if tag == "a" and attribute == "href":
            assert value.startswith(("#", "https://", "http://"))
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)[1]
    assert "url(" not in style
    assert "@import" not in style
    assert "default-src 'none'" in text


@pytest.mark.parametrize("name", ["run", "hostile"])
def test_only_the_pages_own_scripts_may_run(name, request):
    text = request.getfixturevalue(name).html.read_text("utf-8")
    found = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    code = [script for attributes, script in found if "application/json" not in attributes]
    policy = re.search(r"script-src ([^;\"]*)", text)[1]
    assert set(policy.split()) == {
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in code
    }
    assert all("src=" not in attributes for attributes, _ in found)
    assert not any("alert(1)" in script for script in code)
    shipped = resources.files("skinbench.report") / "page"
    assert set(code) <= {p.read_text("utf-8") for p in Path(str(shipped)).rglob("*.js")}


def test_names_do_nothing_in_html(hostile):
    text = hostile.html.read_text("utf-8")
    assert "<script>alert" not in text
    assert '<img src="http' not in text
    assert "&lt;script&gt;alert(1)" in text
    assert "{{7*7}}" in text.replace("<wbr>", "")  # printed, not evaluated
    assert Page(text).open == []


def test_names_do_nothing_in_markdown(hostile):
    text = whole_markdown(hostile)
    outside = re.sub(r"^(`{3,}).*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert "<script" not in outside
    assert not re.search(r"(?<!\\)\]\((javascript|http)", outside)
    assert not re.search(r"!\[[^\]\\]*\]\(http", outside)
    assert "\\`x\\`" in outside
    for block in re.findall(r"(?:^\|.*\n)+", outside, flags=re.MULTILINE):
        widths = {len(re.findall(r"(?<!\\)\|", line)) for line in block.splitlines()}
        assert len(widths) == 1, block[:300]


def test_names_do_nothing_in_figures(hostile):
    for path in hostile.figures.glob("*.svg"):
        text = path.read_text("utf-8")
        assert "<script" not in text
        assert "evil.example" not in re.sub(r">[^<]*<", "><", text)
        assert re.fullmatch(r"[A-Za-z0-9.-]+", path.name)


def test_undefined_failed_and_missing_are_never_zero(run):
    text = whole_markdown(run)
    board = text[text.index("## Leaderboard") : text.index("## Gate")]
    undone = [
        line for line in board.splitlines() if re.search(r"\| (failed|blocked|missing): ", line)
    ]
    assert len(undone) == 3
    for line in undone:
        assert line.count("| – ") == 8
        assert "0.000" not in line
    assert "– (no image was decided as this class)" in text


def test_recall_stands_beside_its_specificity(run):
    head = next(
        line for line in whole_markdown(run).splitlines() if line.startswith("| row | model")
    )
    fields = [field.strip() for field in head.strip("|").split("|")]
    place = fields.index("mel recall (sensitivity)")
    assert fields[place + 1] == "mel specificity"


def test_leak_stamp_stands_in_the_cells_and_below(run):
    text = whole_markdown(run)
    line = next(line for line in text.splitlines() if line.startswith("| p1/multimodal | mobile"))
    assert line.count("†") == 6
    assert "† leaky split: 38.8 % of test images" in text
    assert 'class="mark">†' in run.html.read_text("utf-8")


def test_synthetic_banner_and_limit_line(run, tmp_path):
    assert "drawn by a program, not patients" in run.html.read_text("utf-8")
    assert "not a medical device" in run.html.read_text("utf-8")
    real = make_run(tmp_path / "real", Wish(synthetic=False, rows=4))
    render_run(real)
    text = real.markdown.read_text("utf-8")
    assert "drawn by a program" not in text
    assert "HAM10000 names no patients" in text
    assert "600 images of the 10,015" in text


def test_label_space_without_melanoma_shows_its_first_malignant_class(tmp_path):
    folder = make_run(tmp_path / "run", Wish(focus=False, rows=4))
    render_run(folder)
    head = next(
        line
        for line in folder.markdown.read_text("utf-8").splitlines()
        if line.startswith("| row | model")
    )
    assert "akiec recall (sensitivity) | akiec specificity" in head


@pytest.mark.parametrize(
    "missing",
    [
        "plan",
        "run",
        "fits",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (
                "audit", "cases", "verdict", "suite", "manifests", "splits", "thumbnails",
                "heatmaps",
            )
        ),
    ],
)  # fmt: skip
def test_every_optional_file_may_be_absent(missing, small, tmp_path):
    copy = RunFolder(tmp_path / "run")
    shutil.copytree(small.root, copy.root)
    path: Path = getattr(copy, missing)
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    render_run(copy)
    assert Page(copy.html.read_text("utf-8")).open == []


def test_scorecard_alone_is_enough(small, tmp_path):
    copy = RunFolder(tmp_path / "run")
    copy.root.mkdir()
    shutil.copy(small.scorecard, copy.scorecard)
    render_run(copy)
    text = whole_markdown(copy)
    assert "| baseline_cnn |" in text
    assert "The run folder holds no audit." in text


def test_no_scorecard_is_one_clear_line(tmp_path):
    with pytest.raises(StoreError, match=r"no scorecard\.json; run or score the suite"):
        render_run(RunFolder(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cases.json", '{"cases": [{"row": 1}]}'),
        ("cases.json", '{"method": "gradcam", "sets": [{}]}'),
        ("cases.json", "[]"),
        ("run.json", '{"seconds": "soon"}'),
        ("manifests/lesions.json", "{}"),
        ("manifests/lesions.parquet", "no parquet"),
        ("splits/by_lesion.parquet", "no parquet"),
        ("scorecard.json", "{"),
    ],
)
def test_a_damaged_file_is_named(name, content, small, tmp_path):
    copy = RunFolder(tmp_path / "run")
    shutil.copytree(small.root, copy.root)
    before = copy.html.read_bytes()
    (copy.root / name).write_text(content)
    with pytest.raises(CorruptObjectError, match=re.escape(name)):
        render_run(copy)
    assert copy.html.read_bytes() == before


def test_page_stays_small(run):
    assert run.html.stat().st_size < 1_500_000


def test_files_that_the_markdown_names_exist(run):
    named = set()
    for page in (run.markdown, *run.further.iterdir()):
        for target in re.findall(r"\]\(([^):]+)\)", page.read_text("utf-8")):
            path = (page.parent / unquote(target)).resolve()
            assert path.is_file(), (page.name, target)
            named.add(path.relative_to(run.root.resolve()).as_posix())
    for folder in (run.figures, run.further):
        there = {f"{folder.name}/{path.name}" for path in folder.iterdir()}
        assert there <= named
    assert len(named) > 30


@pytest.mark.slow  # tests/cli/test_light.py asks the command itself
def test_reporting_loads_neither_torch_nor_ray():
    code = (
        "import sys, skinbench.report.render; "
        "print(sorted({'torch', 'ray', 'timm', 'sklearn', 'pytorch_grad_cam'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
