"""What several tests of the data stages share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.records import Manifest
from skinbench.store import Store


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def real_store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    return Store(tmp_path_factory.mktemp("real_store"))


@pytest.fixture(scope="session")
def real_ham(real_store: Store) -> Manifest:
    data = os.environ.get("SKINBENCH_DATA")
    if not data or not (Path(data) / "ham10000").is_dir():
        pytest.skip("SKINBENCH_DATA with ham10000/ is not there")
    request = DataRequest(name="ham", adapter="ham10000", root=Path(data) / "ham10000")
    return read_manifest(request, real_store)
