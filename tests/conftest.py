"""Fixtures that several parts share: one Ray cluster, and where the real data is."""

from __future__ import annotations

import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from tests.browser import PATIENCE

os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")

# The same examples every time, and no time limit on one: a test fails for what the code does, not
# for a lucky draw or a busy machine.
hypothesis.settings.register_profile("skinbench", derandomize=True, deadline=None)
hypothesis.settings.load_profile("skinbench")


def same_draws() -> None:
    """Global generators stand where they always stand, whatever ran before in this process."""
    random.seed(0)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed(0)
    if "torch" in sys.modules:
        sys.modules["torch"].manual_seed(0)


@pytest.hookimpl(tryfirst=True)
def pytest_fixture_setup() -> None:
    """A module's fixture draws the same whichever of its tests comes first."""
    same_draws()


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_call() -> None:
    """A test draws the same whichever fixtures stood already."""
    same_draws()


@pytest.fixture(autouse=True)
def own_plugins(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Plug-ins that a test loads are gone after it; the process keeps them by design."""
    from skinbench import registry  # not above, where coverage does not measure yet

    monkeypatch.setenv(registry.PLUGINS_VARIABLE, "")
    yield
    for known in registry.KINDS.values():
        for name in known._plugins:
            known._loaded.pop(name, None)
            sys.modules.pop(f"skinbench_plugin_{known.kind}_{name}", None)
        known._plugins.clear()


@pytest.fixture(scope="session")
def ray_address() -> Iterator[str]:
    """Address of one cluster with two cores, for every test that needs Ray."""
    from ray.cluster_utils import Cluster

    os.environ["RAY_TRAIN_ENABLE_V2_MIGRATION_WARNINGS"] = "0"
    cluster = Cluster(
        initialize_head=True, head_node_args={"num_cpus": 2, "include_dashboard": False}
    )
    yield cluster.address
    cluster.shutdown()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whatever asks for the cluster runs with the other tests of Ray, one at a time."""
    for item in items:
        if "ray_address" in getattr(item, "fixturenames", ()):
            item.add_marker("ray")


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Chromium; the test is skipped where there is none.

    Not for the session: as long as Playwright runs, no other file's test in this process can run
    an event loop of its own.
    """
    if CHROMIUM is None:
        pytest.skip("no chromium: apt-get install chromium")
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        for name in ("new_page", "new_context"):
            setattr(browser, name, patiently(getattr(browser, name)))
        yield browser
        browser.close()


def patiently(make: Callable[..., Any]) -> Callable[..., Any]:
    """Pages wait as long as `until`: the usual 30 s are short where two cores do all the work."""

    def made(**options: Any) -> Any:
        page = make(**options)
        page.set_default_timeout(PATIENCE * 1000)
        return page

    return made


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder with the real datasets; the test is skipped where there is none."""
    named = os.environ.get("SKINBENCH_DATA")
    if not named or not (Path(named) / "ham10000").is_dir():
        pytest.skip("SKINBENCH_DATA names no folder with the real ham10000/")
    return Path(named)


@pytest.fixture(scope="session")
def real_weights() -> Path:
    """Folder with real ImageNet weights; the test is skipped where there is none."""
    named = os.environ.get("SKINBENCH_WEIGHTS")
    if not named or not any(Path(named).glob("mobilenetv2*.safetensors")):
        pytest.skip("SKINBENCH_WEIGHTS names no folder with mobilenetv2 weights")
    return Path(named)


@pytest.fixture
def known_pairs(real_weights: Path) -> Path:
    """List of pairs of HAM10000 that are one lesion under two ids; skipped where it is not."""
    listed = real_weights.parent / "data" / "known_duplicate_pairs.csv"
    if not listed.is_file():
        pytest.skip(f"{listed} is not there")
    return listed
