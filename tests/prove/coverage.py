"""How often a 95 % interval holds the truth, simulated with lesions of HAM10000's sizes.

    python -m tests.prove.coverage [--simulations 10000] [--metric recall ...] [--json FILE]

Recall, specificity, balanced accuracy and AUROC of a test split (one lesion in five) and of the
whole dataset, at true recalls of 0.55, 0.8 and 0.95 and correlations within a lesion of 0, 0.5
and 0.9. Intervals are made by the code that scores; the image-level bootstrap stands beside them
as a fact. Exits with 1 where one covers less than 93 % or more than 97 %, three standard errors of
the simulation forgiven. Writes nothing unless a file is named.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy import special, stats

from skinbench.catalog.metrics import auroc
from skinbench.score.draws import STRATUM, draws
from skinbench.score.images import ScoredImages
from skinbench.score.intervals import FEW_RANKED, Basis, chosen_interval, percentile
from skinbench.score.paired_tests import placements
from skinbench.score.proportions import GroupSums
from skinbench.score.replicates import ReplicateSet

LEVEL = 0.95
LIMITS = (0.93, 0.97)
RECALLS = (0.55, 0.8, 0.95)
CORRELATIONS = (0.0, 0.5, 0.9)
REPLICATES = 1000
BATCH = 250
"""Simulations that share their bootstrap draws, as two rows of a suite do."""
SIZES = {
    "akiec": {1: 151, 2: 57, 3: 18, 4: 2},
    "bcc": {1: 175, 2: 118, 3: 33, 4: 1},
    "bkl": {1: 440, 2: 220, 3: 55, 4: 8, 5: 2, 6: 2},
    "df": {1: 39, 2: 26, 3: 8},
    "mel": {1: 230, 2: 278, 3: 100, 4: 4, 5: 1, 6: 1},
    "nv": {1: 4415, 2: 699, 3: 268, 4: 18, 5: 2, 6: 1},
    "vasc": {1: 64, 2: 25, 3: 8, 4: 1},
}
"""HAM10000: lesions of each class by number of images; 7,470 lesions, 10,015 images."""
PARTS = {"test split": 0.2, "whole": 1.0, "few": 0.2}
FEW = 0.04
"""Share of the melanomas in `few`, 25 lesions beside a test split's others; AUROC alone."""


def lesions(generator, code, part):
    """Sizes of a class's lesions, a share of HAM10000's drawn without replacement [G]."""
    known = np.repeat(list(SIZES[code]), list(SIZES[code].values()))
    return generator.choice(known, size=max(1, round(part * len(known))), replace=False)


def hits(generator, sizes, share, correlation, simulations):
    """Right decisions of each image [simulations, images].

    An image takes its lesion's own uniform number with probability sqrt(correlation), else one
    of its own: two images of a lesion are then correlated by `correlation`.
    """
    codes = np.repeat(np.arange(len(sizes)), sizes)
    shape = (simulations, len(codes))
    own = generator.random(shape, dtype=np.float32)
    lesion = generator.random((simulations, len(sizes)), dtype=np.float32)[:, codes]
    taken = generator.random(shape, dtype=np.float32) < np.sqrt(correlation)
    return np.where(taken, lesion, own) < share


def by_lesion(hit, sizes):
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    return np.add.reduceat(hit, starts, axis=1, dtype=np.float64)


class Tally:
    """How often intervals held the truth, and how they missed."""

    def __init__(self, truth):
        self.truth, self.made, self.below, self.above, self.none = truth, 0, 0, 0, 0

    def add(self, low, high):
        if low is None:
            self.none += 1
            return
        self.made += 1
        self.below += high < self.truth - 1e-12
        self.above += low > self.truth + 1e-12

    @property
    def coverage(self):
        return 1 - (self.below + self.above) / self.made if self.made else float("nan")


def shares(generator, sizes, truth, correlation, simulations):
    """Recall or specificity: (ours, image-level)."""
    ours, images = Tally(truth), Tally(truth)
    total = int(sizes.sum())
    for seed, count in batches(simulations):
        hit = hits(generator, sizes, truth, correlation, count)
        sums = by_lesion(hit, sizes)
        drawn = draws(len(sizes), 0, REPLICATES + 1, seed).astype(np.float64)
        values = (sums @ drawn) / (sizes @ drawn)
        alone = hit.astype(np.float32) @ draws(total, 0, REPLICATES + 1, seed).astype(np.float32)
        for line, lesion, image in zip(values, sums, alone / total, strict=True):
            share = [GroupSums(hits=lesion, images=sizes.astype(np.float64))]
            found = chosen_interval(line, LEVEL, Basis(n_groups=len(sizes), share=share))
            ours.add(found.low, found.high)
            found = percentile(image.astype(np.float64), LEVEL)
            images.add(found.low, found.high)
    return ours, images


def balanced(generator, sizes, truth, correlation, simulations):
    """Balanced accuracy with the same recall in every class: (ours, image-level)."""
    ours, images = Tally(truth), Tally(truth)
    for seed, count in batches(simulations):
        values, alone, sums = 0.0, 0.0, []
        for index, own in enumerate(sizes):
            hit = hits(generator, own, truth, correlation, count)
            sums.append(by_lesion(hit, own))
            apart = seed + STRATUM * (1 + index)  # as the scores do: within each class
            drawn = draws(len(own), 0, REPLICATES + 1, apart).astype(np.float64)
            values = values + (sums[-1] @ drawn) / (own @ drawn) / len(sizes)
            total = int(own.sum())
            drawn = draws(total, 0, REPLICATES + 1, apart).astype(np.float32)
            alone = alone + (hit.astype(np.float32) @ drawn) / total / len(sizes)
        for place in range(count):
            classes = [
                [GroupSums(hits=part[place], images=own.astype(np.float64))]
                for part, own in zip(sums, sizes, strict=True)
            ]
            basis = Basis(n_groups=sum(map(len, sizes)), classes=classes)
            found = chosen_interval(values[place], LEVEL, basis)
            ours.add(found.low, found.high)
            found = percentile(np.asarray(alone[place], np.float64), LEVEL)
            images.add(found.low, found.high)
    return ours, images


def ranked(generator, sizes, recall, correlation, simulations):
    """AUROC of normal scores whose recall at a specificity of 0.9 is `recall`."""
    positive, negative = sizes
    both = np.concatenate(sizes)
    codes = np.repeat(np.arange(len(both)), both)
    labels = (codes < len(positive)).astype(np.int64)
    shift = stats.norm.ppf(0.9) + stats.norm.ppf(recall)
    truth = float(stats.norm.cdf(shift / np.sqrt(2)))
    ours, images = Tally(truth), Tally(truth)
    few = min(len(positive), len(negative)) < FEW_RANKED
    for seed, count in batches(simulations):
        for number in range(count):
            noise = np.sqrt(correlation) * generator.standard_normal(len(both))[codes]
            noise += np.sqrt(1 - correlation) * generator.standard_normal(len(codes))
            scores = special.ndtr(noise + shift * labels - shift / 2)
            one = scored(labels, scores, codes)
            basis = Basis(
                n_groups=len(positive),
                ranked=placements([one], 1, np.arange(len(both))) if few else None,
            )
            resamples = 0 if few else REPLICATES
            found = chosen_interval(resampled(one, codes, resamples, seed), LEVEL, basis)
            ours.add(found.low, found.high)
            if number % 10 == 0:  # a fact beside it: one in ten will do
                alone = resampled(one, np.arange(len(codes)), 200, seed)
                found = percentile(alone, LEVEL)
                images.add(found.low, found.high)
    return ours, images


def resampled(images, groups, replicates, seed):
    made = ReplicateSet(
        images.labels, images.probabilities, groups, replicates=replicates, seed=seed
    )
    return auroc.compute(made, 1)


def scored(labels, scores, groups):
    n = len(labels)
    return ScoredImages(
        dataset="", condition="none", classes=("rest", "mel"),
        image_ids=np.arange(n).astype(object), groups=groups, labels=labels, decisions=labels,
        probabilities=np.column_stack([1 - scores, scores]), weights=np.ones(n),
        folds=np.zeros(n, dtype=np.int64),
    )  # fmt: skip


def batches(simulations):
    """(seed of the draws, simulations) of each batch."""
    for seed, start in enumerate(range(0, simulations, BATCH)):
        yield seed, min(BATCH, simulations - start)


def sizes_of(metric, part):
    """Lesions that a metric is over, the same for every setting."""
    generator = np.random.default_rng([7, list(PARTS).index(part)])
    shares = {code: FEW if part == "few" and code == "mel" else PARTS[part] for code in SIZES}
    every = {code: lesions(generator, code, shares[code]) for code in SIZES}
    rest = np.concatenate([own for code, own in every.items() if code != "mel"])
    return {
        "recall": every["mel"],
        "specificity": rest,
        "balanced accuracy": list(every.values()),
        "AUROC": (every["mel"], rest),
    }[metric]


MEASURES = {
    "recall": shares,
    "specificity": shares,
    "balanced accuracy": balanced,
    "AUROC": ranked,
}


def rates(metric, part, recall, correlation, simulations):
    """Coverage of one setting."""
    about = [int(1000 * recall), int(1000 * correlation), list(PARTS).index(part)]
    generator = np.random.default_rng([list(MEASURES).index(metric), *about])
    sizes = sizes_of(metric, part)
    ours, images = MEASURES[metric](generator, sizes, recall, correlation, simulations)
    return {
        "metric": metric, "of": part, "truth": recall, "correlation": correlation,
        "coverage": round(ours.coverage, 4), "below": int(ours.below), "above": int(ours.above),
        "none": ours.none, "image level": round(images.coverage, 4),
    }  # fmt: skip


def broken(line, simulations):
    """Whether a setting is outside the limits by more than the simulation's own error."""
    noise = 3 * np.sqrt(LEVEL * (1 - LEVEL) / simulations)
    return not LIMITS[0] - noise <= line["coverage"] <= LIMITS[1] + noise


def summary(table):
    """One line: the least and most coverage of each metric, and of images alone."""
    said = []
    for metric in dict.fromkeys(line["metric"] for line in table):
        own = [line["coverage"] for line in table if line["metric"] == metric]
        said.append(f"{metric} {min(own):.3f} to {max(own):.3f}")
    alone = min(line["image level"] for line in table)
    return f"coverage of 95 % intervals: {', '.join(said)}; by images alone down to {alone:.3f}"


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--metric", nargs="*", choices=list(MEASURES), default=list(MEASURES))
    parser.add_argument("--part", nargs="*", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    table = []
    for metric in options.metric:
        for part in options.part:
            if (part == "whole" and metric == "AUROC") or (part == "few" and metric != "AUROC"):
                continue  # of 10,015 images a simulation each: hours; of shares Wilson's serves
            for recall in RECALLS:
                for correlation in CORRELATIONS:
                    table.append(rates(metric, part, recall, correlation, options.simulations))
                    print(table[-1], flush=True)  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    print(summary(table))  # noqa: T201
    return 1 if any(broken(line, options.simulations) for line in table) else 0


if __name__ == "__main__":
    sys.exit(main())
