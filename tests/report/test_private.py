import re

from skinbench.report.render import render_run
from tests.report.fixture import make_run


def cases(text):
    """The part of the Markdown that shows cases."""
    after = text[text.index("| image | heat for the decided class") :]
    return after.partition("\n## ")[0]


def test_private_images_leave_no_picture_and_no_id_among_the_cases(tmp_path, monkeypatch):
    folder = make_run(tmp_path / "run")
    monkeypatch.delenv("SKINBENCH_SALT", raising=False)
    render_run(folder)
    open_ = cases(folder.markdown.read_text("utf-8"))
    ids = {line.split("|")[-2].strip() for line in open_.splitlines() if line.count("|") == 9}
    ids -= {"image id", "---"}
    assert ids
    assert "thumbnails/" in open_
    monkeypatch.setenv("SKINBENCH_SALT", "s3cret")
    render_run(folder)
    text = folder.markdown.read_text("utf-8")
    assert "thumbnails/" not in text
    assert "heatmaps/" not in text
    shown = cases(text)
    assert not any(re.search(rf"\| {re.escape(name)} \|", shown) for name in ids)
    assert "s3cret" not in text
    assert len(re.findall(r"\| [0-9a-f]{12} \|", shown)) >= len(ids)
