"""The image under the heatmap of another row's network, for the class that this decides itself."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from skinbench.errors import UsageError
from skinbench.records.entries import PixelsEntry
from skinbench.registry import suggest


def make(
    images: npt.NDArray[np.uint8],
    maps: npt.NDArray[np.float32],
    size: int,
    options: Mapping[str, object],
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """Images [B, S, S, 3] blended with their heat in colours; a flat map leaves its image.

    Shimbre et al. 2025, section 3.3: the map is stretched to its own range, coloured (Jet or
    Plasma are named; Jet is taken) and laid over the image. The paper does not state the share
    of the colour: 0.4 is taken.

    Raises:
        UsageError: `colours` is no colour map of Matplotlib, `strength` is not within 0..1.
    """
    from matplotlib import colormaps
    from PIL import Image

    colours, strength = str(options["colours"]), options["strength"]
    if colours not in colormaps:
        hint = suggest(colours, colormaps)
        raise UsageError(f"pixels cam_overlay: no colour map '{colours}'; {hint}")
    if isinstance(strength, bool) or not isinstance(strength, (int, float)):
        raise UsageError(f"pixels cam_overlay: strength is a number in 0..1, got {strength!r}")
    if not 0 <= strength <= 1:
        raise UsageError(f"pixels cam_overlay: strength {strength:g} is not within 0..1")
    made, flat = np.array(images), np.zeros(len(images), dtype=np.bool_)
    for index, heat in enumerate(maps):
        low, high = float(heat.min()), float(heat.max())
        if high <= low:
            flat[index] = True
            continue
        scaled = Image.fromarray((heat - low) / (high - low))
        large = np.asarray(scaled.resize((size, size), Image.Resampling.BILINEAR))
        coloured = colormaps[colours](large)[..., :3] * 255.0
        blended = (1.0 - strength) * images[index] + strength * coloured
        made[index] = np.rint(blended).astype(np.uint8)
    return made, flat


ENTRY = PixelsEntry(
    version=1,
    map="heatmap",
    make=make,
    options={"method": "gradcam", "colours": "jet", "strength": 0.4},
    note="an image whose heatmap is flat is seen as it is",
)
