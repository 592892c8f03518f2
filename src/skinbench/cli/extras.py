"""Whether optional dependencies are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from skinbench.errors import MissingExtraError

RUN_MODULES = ("ray", "torch", "timm", "kornia", "captum")


def missing(modules: tuple[str, ...] = RUN_MODULES) -> list[str]:
    """Modules that cannot be imported because they are not there."""
    return [name for name in modules if find_spec(name) is None]


def require_run() -> None:
    """Raise MissingExtraError unless everything that training needs is installed."""
    absent = missing()
    if absent:
        raise MissingExtraError(f"`skinbench run` (missing: {', '.join(absent)})", "run")
