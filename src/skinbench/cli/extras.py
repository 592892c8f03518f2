"""Whether optional dependencies are installed, without importing them."""

from __future__ import annotations

from importlib.util import find_spec

from skinbench.errors import MissingExtraError

RUN_MODULES = ("ray", "torch", "timm", "kornia", "captum")
CLUSTER_MODULES = ("ray", "aiohttp", "aiohttp_cors")
EXPORT_MODULES = ("torch", "timm", "onnx", "onnxscript", "onnxruntime")
PREDICT_MODULES = ("onnxruntime",)
SERVE_MODULES = ("onnxruntime", "starlette", "uvicorn", "python_multipart", "weasyprint")


def missing(modules: tuple[str, ...]) -> list[str]:
    """Modules that cannot be imported because they are not there."""
    return [name for name in modules if find_spec(name) is None]


def require(what: str, modules: tuple[str, ...], extra: str) -> None:
    """Raise MissingExtraError unless all modules of an extra are installed."""
    absent = missing(modules)
    if absent:
        raise MissingExtraError(f"`skinbench {what}` (missing: {', '.join(absent)})", extra)
