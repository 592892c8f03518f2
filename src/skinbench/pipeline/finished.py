"""What a finished run was made from: where nothing changed, nothing is scored or drawn again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import skinbench
from skinbench.errors import CorruptObjectError
from skinbench.pipeline.environment import package_versions
from skinbench.store import RunFolder, content_digest, file_digest, read_record, write_json


@dataclass(frozen=True, kw_only=True)
class Finished:
    """made.json."""

    inputs: str
    """Digest of the files that scores and pages are made from, of this program and its
    packages."""
    outputs: str
    """Digest of scores, cases, pictures and pages."""


def inputs_digest(folder: RunFolder, salt: str | None) -> str:
    """Everything that scoring, explaining and rendering read.

    Args:
        folder: of the run, with preparation, fits and predictions written.
        salt: of private ids.
    """
    outputs = set(_outputs(folder))
    apart = {folder.run, folder.log, folder.made}
    files = [
        path
        for path in _files(folder.root)
        if path not in outputs | apart and folder.history not in path.parents
    ]
    hidden = hashlib.sha256((salt or "").encode()).hexdigest()
    return content_digest([_digest(folder.root, files), _program(), package_versions(), hidden])


def is_finished(folder: RunFolder, inputs: str) -> bool:
    """Whether the folder's scores and pages were made from `inputs` and are as they were."""
    if not (folder.made.exists() and folder.scorecard.exists() and folder.html.exists()):
        return False
    try:
        made = read_record(folder.made, Finished)
    except CorruptObjectError:
        return False
    return made == Finished(inputs=inputs, outputs=_digest(folder.root, _outputs(folder)))


def finish(folder: RunFolder, inputs: str) -> None:
    """Note down what the folder's scores and pages were made from."""
    outputs = _digest(folder.root, _outputs(folder))
    write_json(folder.made, Finished(inputs=inputs, outputs=outputs))


def _outputs(folder: RunFolder) -> list[Path]:
    pictures = (folder.heatmaps, folder.thumbnails, folder.figures)
    single = (folder.scorecard, folder.cases, folder.verdict, folder.html, folder.markdown)
    pages = [path for path in folder.root.glob("report*") if path.is_dir()]
    found = [path for path in single if path.exists()]
    return found + [path for top in (*pictures, *pages) for path in _files(top)]


def _files(top: Path) -> list[Path]:
    return sorted(path for path in top.rglob("*") if path.is_file())


def _digest(root: Path, files: list[Path]) -> str:
    return content_digest(
        [[path.relative_to(root).as_posix(), file_digest(path)] for path in sorted(files)]
    )


def _program() -> str:
    """Of this package's own files: a version alone does not tell one checkout from another."""
    home = Path(skinbench.__file__).parent
    files = [path for path in _files(home) if path.suffix != ".pyc"]
    return _digest(home, files)
