"""Arrays in .npy files: numbers alone, since what pickles can hold is not read."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from skinbench.errors import CorruptObjectError


def open_array(path: Path, mode: Literal["r", "c"] | None = None) -> npt.NDArray[Any]:
    """An array of numbers, as it was saved.

    Args:
        path: a .npy file.
        mode: of a memory map ("c" may be written to, and changes no file); None reads it whole.

    Raises:
        CorruptObjectError: it is absent, damaged, or holds anything but numbers.
    """
    try:
        found = np.load(path, mmap_mode=mode, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise CorruptObjectError(f"{path} cannot be opened: {error}") from error
    if not isinstance(found, np.ndarray):
        raise CorruptObjectError(f"{path} cannot be opened: it is an archive of arrays")
    return found
