"""What no node can hold is refused before anything is made for it."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from skinbench.cluster.sizing import Node
from skinbench.errors import ResourceError
from skinbench.pipeline import Options, prepare
from skinbench.pipeline.prepared import Clock
from skinbench.pipeline.scheduling import open_schedule
from skinbench.store import Store
from skinbench.suite import load_suite
from tests.pipeline.tiny import write_suite

pytestmark = pytest.mark.torch
ROWS = """
rows:
  said: {model: baseline_cnn, resources: {memory: 3GB}}
  guessed: {model: baseline_cnn, image_size: 512, batch_size: 256}
"""


@pytest.mark.parametrize(
    ("memory", "words"),
    [
        (2e9, "said asks for 3.0 GB of memory, but no node that could take it has more than 2.0"),
        (4e9, r"guessed takes about .* \(baseline_cnn, batch_size 256, 512 px\), but no node"),
    ],
)
def test_memory_that_is_not_there(tmp_path: Path, memory: float, words: str) -> None:
    suite = load_suite(write_suite(tmp_path, ROWS))
    options = Options(folder=tmp_path / "run", store=Store(tmp_path / "store"))
    prepared = prepare(suite, options)
    before = [(item.kind, item.name) for item in options.store.objects()]
    session = SimpleNamespace(nodes=lambda: [Node(cpu=8, memory=memory)])
    with pytest.raises(ResourceError, match=words) as caught:
        open_schedule(prepared, options, session, Clock(listener=lambda _: None))
    assert "\n" not in str(caught.value)
    assert [(item.kind, item.name) for item in options.store.objects()] == before
