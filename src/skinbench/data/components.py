"""What links connect: lesions by shared ids, images by pairs, patients by lesions."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def components(links: npt.ArrayLike, total: int) -> npt.NDArray[np.int64]:
    """Connected component of each of `total` nodes [total].

    Args:
        links: pairs of nodes [L, 2], each from 0 to total - 1.
        total: number of nodes; those without a link are components of their own.
    """
    ends = np.asarray(links, dtype=np.int64).reshape(-1, 2)
    if not len(ends):  # most datasets have none: a finished run need not load scipy
        return np.arange(total, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(total, total))
    return np.asarray(connected_components(graph, directed=False)[1], dtype=np.int64)
