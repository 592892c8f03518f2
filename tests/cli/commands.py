"""Commands as a user calls them, in this process; and a run folder for them to read."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from skinbench.cli import main
from skinbench.score.predictions import write_predictions
from skinbench.store import RunFolder, write_json
from tests.gate.runs import Run, plain_run
from tests.suite.texts import with_changes, write


@dataclass(frozen=True, kw_only=True)
class Done:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """Standard output, which is nothing but JSON."""
        return json.loads(self.out)


class Shell:
    """Calls commands and takes what they print."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
        self.monkeypatch, self.capsys = monkeypatch, capsys

    def __call__(self, *words: object) -> Done:
        self.monkeypatch.setattr(sys, "argv", ["skinbench", *map(str, words)])
        self.capsys.readouterr()
        code: Any = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code or 0
        out, err = self.capsys.readouterr()
        return Done(code=code, out=out, err=err)

    def error(self, *words: object, code: int = 2) -> str:
        """The one line of a command that fails."""
        done = self(*words)
        assert done.code == code, done
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert done.err.count("\n") == 1
        return done.err


def write_run(root: Path, run: Run | None = None) -> RunFolder:
    """What the gate reads of a run: suite, scorecard and predictions."""
    run = run or plain_run()
    folder = RunFolder(root)
    root.mkdir(parents=True)
    write(root, with_changes(gate=[{"metric": "recall", "class": "mel", "margin": 0.2}]))
    write_json(folder.scorecard, run.scorecard)
    for cell, predictions in run.predictions.items():
        write_predictions(
            folder.prediction(cell),
            predictions.frame,
            classes=predictions.classes,
            metadata=predictions.metadata,
        )
    return folder
