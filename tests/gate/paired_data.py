"""Paired shares by lesion, and Tango's interval by another way."""

from __future__ import annotations

import numpy as np

from skinbench.gate.paired import paired_share


def tango(n, gained, lost, z):
    """Tango's score interval of n independent pairs, as roots of the quartic of Yang, Sun and
    Hardin 2013 (Statistics in Medicine 32:1336-1342)."""
    g, d = z * z, gained - lost
    quartic = [
        n**2 * (n / g + 1) ** 2,
        -n * d * (n / g + 1) * (4 * n / g + 1),
        2 * n * d**2 * (3 * n / g + 2) / g - n**2 * ((gained + lost) / g + 1),
        n * d * (2 * (gained + lost) / g + 1) - d**3 * (4 * n / g + 1) / g,
        d**2 * (d**2 / g - (gained + lost)) / g,
    ]
    real = np.roots(quartic)
    real = np.sort(real[np.abs(real.imag) < 1e-7].real)
    return real[0], real[-1]


def pairs_of(signs, lesions):
    """(PairedShare, lesion groups) of images that were gained (1), kept (0) or lost (-1)."""
    signs = np.asarray(signs, dtype=float)
    codes = np.unique(lesions, return_inverse=True)[1]
    sums, sizes = np.bincount(codes, signs), np.bincount(codes).astype(float)
    found = paired_share(
        sums, sizes, gained=float((signs > 0).mean()), lost=float((signs < 0).mean())
    )
    return found, len(sums)


def drawn(seed, groups=80, lost=0.12, gained=0.08):
    """Signs and lesions; a lesion changes as a whole half of the time."""
    generator = np.random.default_rng(seed)
    sizes = generator.choice([1, 2, 3, 4], p=[0.4, 0.3, 0.2, 0.1], size=groups)
    lesions = np.repeat(np.arange(groups), sizes)
    whole = (generator.random(groups) < 0.5)[lesions]
    draws = np.where(whole, generator.random(groups)[lesions], generator.random(len(lesions)))
    return np.where(draws < lost, -1, np.where(draws > 1 - gained, 1, 0)), lesions
