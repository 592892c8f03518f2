"""An ONNX file of a model trained elsewhere, scored as it is: see `trained:` of a model."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import numpy.typing as npt

from skinbench.errors import MissingExtraError, UsageError
from skinbench.records.entries import ModelEntry
from skinbench.records.learning import FitSpec

if TYPE_CHECKING:
    import pandas as pd

Arrays = Mapping[str, npt.NDArray[Any]]
SMALLEST = 1e-12
"""Probabilities of 0 are kept from it by this much before they are normalised."""


class OnnxModel:
    """Runs a file by onnxruntime on the CPU, with the fit's own number of threads.

    The state has the file's bytes and what the suite states of it, so that a fit is whole without
    the file. Pixels go in as (x / 255 - mean) / std, float32, in the layout of the file's input:
    [N, 3, H, W], or [N, H, W, 3] as Keras exports it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._session: Any = None

    def fit(
        self,
        pixels: npt.NDArray[np.uint8],
        table: pd.DataFrame,
        labels: npt.NDArray[np.int64],
        n_classes: int,
        seed: int,
    ) -> dict[str, npt.NDArray[Any]]:
        """Refuse: there is nothing to fit.

        Raises:
            UsageError: always.
        """
        raise UsageError("model onnx: is only a file; give `trained: {file, labels, ...}`")

    def adopt(self, file: Path, spec: FitSpec) -> dict[str, npt.NDArray[Any]]:
        """The file's bytes, and what the spec says of its input and outputs.

        Raises:
            UsageError: onnxruntime cannot read the file, or it does not take one image of this
                size.
            MissingExtraError: onnxruntime is not installed.
        """
        weights, trained = spec.model.weights, spec.model.trained
        assert trained is not None
        facts = {
            "mean": weights.mean or (0.0, 0.0, 0.0),
            "std": weights.std or (1.0, 1.0, 1.0),
            "outputs": trained.outputs,
            "sigmoid": spec.output == "sigmoid",
            "threads": spec.train.threads,
            "seen": trained.seen,
        }
        state = {
            "file": np.frombuffer(file.read_bytes(), dtype=np.uint8).copy(),
            "facts": np.frombuffer(json.dumps(facts).encode(), dtype=np.uint8).copy(),
        }
        try:
            _check_input(self._open(state), trained.seen or spec.train.image_size)
        except UsageError as error:
            raise UsageError(f"{file}: {error}") from error
        return state

    def outputs(self, state: Arrays, pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        """The file's first output for pixels [N, H, W, 3]: [N, n].

        Raises:
            UsageError: the file fails on them.
        """
        session = self._open(state)
        facts = _facts(state)
        images = _centre(np.asarray(pixels[:]), facts["seen"]).astype(np.float32)
        images /= np.float32(255)
        images -= np.array(facts["mean"], dtype=np.float32)
        images /= np.array(facts["std"], dtype=np.float32)
        entrance = session.get_inputs()[0]
        if not _channels_last(entrance.shape):
            images = np.ascontiguousarray(images.transpose(0, 3, 1, 2))
        fixed = entrance.shape[0] if isinstance(entrance.shape[0], int) else len(images)
        name = session.get_outputs()[0].name
        found = []
        for start in range(0, len(images), fixed):
            batch = images[start : start + fixed]
            padded = np.concatenate([batch, np.repeat(batch[-1:], fixed - len(batch), axis=0)])
            try:
                made = session.run([name], {entrance.name: padded})[0]
            except Exception as error:  # onnxruntime has its own kinds, one for each code
                raise UsageError(f"model onnx: fails on an image: {_line(error)}") from error
            found.append(np.asarray(made, dtype=np.float32)[: len(batch)])
        joined = np.concatenate(found)
        return joined.reshape(len(joined), -1)

    def predict(
        self, state: Arrays, pixels: npt.NDArray[np.uint8], table: pd.DataFrame
    ) -> npt.NDArray[np.float32]:
        """Probabilities [N, C], rows summing to 1."""
        facts = _facts(state)
        outputs = self.outputs(state, pixels).astype(np.float64)
        if facts["outputs"] == "logits":
            if facts["sigmoid"]:
                outputs = np.concatenate([-outputs / 2, outputs / 2], axis=1)
            shares = np.exp(outputs - outputs.max(axis=1, keepdims=True))
        elif facts["sigmoid"]:
            shares = np.concatenate([1 - outputs, outputs], axis=1)
        else:
            shares = outputs.clip(SMALLEST, None)
        found: npt.NDArray[np.float32] = (shares / shares.sum(axis=1, keepdims=True)).astype(
            np.float32
        )
        return found

    def _open(self, state: Arrays) -> Any:
        with self._lock:
            if self._session is None:
                self._session = _session(state["file"].tobytes(), int(_facts(state)["threads"]))
            return self._session


def _centre(pixels: npt.NDArray[np.uint8], seen: int | None) -> npt.NDArray[np.uint8]:
    if seen is None:
        return pixels
    start = (pixels.shape[1] - seen) // 2
    return pixels[:, start : start + seen, start : start + seen]


def _facts(state: Arrays) -> dict[str, Any]:
    return cast("dict[str, Any]", json.loads(state["facts"].tobytes()))


def _session(content: bytes, threads: int) -> Any:
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("model onnx", "onnx") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.use_deterministic_compute = True
    options.log_severity_level = 3
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # as above
        raise UsageError(f"onnxruntime cannot read it: {_line(error)}") from error


def _check_input(session: Any, size: int) -> None:
    entrances = session.get_inputs()
    if len(entrances) != 1 or len(entrances[0].shape) != 4:
        shapes = ", ".join(f"{item.name} {item.shape}" for item in entrances)
        raise UsageError(f"takes {shapes}; expected one image, [N, 3, H, W] or [N, H, W, 3]")
    shape = entrances[0].shape
    if entrances[0].type != "tensor(float)":
        raise UsageError(f"takes {entrances[0].type}; expected tensor(float), that is float32")
    sides = shape[1:3] if _channels_last(shape) else shape[2:4]
    fixed = [side for side in sides if isinstance(side, int)]
    if any(side != size for side in fixed):
        wanted = " x ".join(map(str, fixed))
        raise UsageError(f"takes images of {wanted} px, and `size` is {size}")


def _channels_last(shape: list[Any]) -> bool:
    return bool(shape[3] == 3 and shape[1] != 3)


def _line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return lines[0][:200] if lines else type(error).__name__


ENTRY = ModelEntry(version=1, kind="file", plain=OnnxModel)
