"""A small suite as values, written as YAML with changes."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest
import yaml

from skinbench.errors import SuiteError
from skinbench.suite import Suite, load_suite

SMALL = {
    "name": "small",
    "data": {"drawn": {"adapter": "synthetic", "options": {"lesions": 20}}},
    "splits": {"by_lesion": {"data": "drawn", "group": "lesion", "test": 0.2, "val": 0.1}},
    "defaults": {"split": "by_lesion", "epochs": 2, "image_size": 32},
    "rows": {"a": {"model": "baseline_cnn"}},
}


def with_changes(**changes: object) -> dict:
    """SMALL with whole top-level keys replaced."""
    return {**copy.deepcopy(SMALL), **changes}


def write(folder: Path, text: str | dict, name: str = "suite.yaml") -> Path:
    path = folder / name
    body = text if isinstance(text, str) else yaml.safe_dump(text, sort_keys=False)
    path.write_text(body, encoding="utf-8")
    return path


def load(folder: Path, text: str | dict | None = None, **options: object) -> Suite:
    return load_suite(write(folder, SMALL if text is None else text), **options)


def fails(folder: Path, text: str | dict, **options: object) -> SuiteError:
    """The error that a suite gives: of exit code 2, on one line that begins with its file."""
    with pytest.raises(SuiteError) as caught:
        load(folder, text, **options)
    error = caught.value
    assert error.exit_code == 2
    assert "\n" not in str(error)
    assert str(error).startswith(str(folder / "suite.yaml"))
    return error
