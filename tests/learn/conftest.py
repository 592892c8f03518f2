from __future__ import annotations

import pytest
import torch

from tests.learn.world import World, make_world


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Shared by tests that do not mind which fits exist."""
    return make_world(tmp_path_factory.mktemp("world"))


@pytest.fixture
def fresh(tmp_path) -> World:
    """The same content in a store of its own."""
    return make_world(tmp_path)


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
