"""How often the gate is wrong about AUROC and balanced accuracy, by HAM10000's lesions.

    python -m tests.prove.gate_ranked [--simulations 10000] [--json FILE]

AUROC (score test by lesion): 223 melanomas and 600 other images, normal scores whose recall at a
specificity of 0.9 is 0.55, 0.8 or 0.95. Balanced accuracy (adjusted Wald by lesion): a test split
of one lesion in five, the same recall in all seven classes. The noise of two models correlates by
0.5 or 0.9 (balanced accuracy: they read the same number for two images in three), that of two
images of a lesion by 0 or 0.9. Shares of simulations that are falsely `regressed` with equal
models, and falsely `passed` with a true drop of exactly the margin. Exits with 1 where a limit
(alpha + 0.01, alpha + 0.02) is broken, three standard errors of the simulation forgiven. Beside
it, as a fact: how often that drop would pass by the variance of AUROC that is seen alone, and by
the percentile bootstrap of balanced accuracy. Writes nothing unless a file is named.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

import numpy as np
from scipy import special

from skinbench.gate.means import ClassPairs, mean_bounds
from skinbench.gate.paired import paired_share
from skinbench.gate.ranked import PairedAuc, ranked_bounds
from skinbench.score.draws import STRATUM, draws
from tests.prove.coverage import SIZES, by_lesion, sizes_of
from tests.prove.gate_simulation import ALPHA, LIMITS, lesions, regressed

MARGINS = (0.02, 0.05)
RECALLS = (0.55, 0.8, 0.95)
CORRELATIONS = (0.0, 0.9)
AGREE = (0.5, 0.9)
MELANOMAS, OTHERS = 223, 600
REPLICATES = 1000
BATCH = 100
OTHERWISE = {"AUROC": "by the variance seen", "balanced accuracy": "by the percentile bootstrap"}


class Counts:
    """Wrong verdicts so far."""

    def __init__(self):
        self.found = {"falsely regressed": 0, "falsely passed": 0, "inconclusive though equal": 0}

    def add(self, equal, worse, margin):
        self.found["falsely regressed"] += regressed(equal, margin)
        self.found["falsely passed"] += worse.low > -margin
        self.found["inconclusive though equal"] += equal.low <= -margin and equal.high >= 0

    def shares(self, simulations, otherwise):
        found = {name: value / simulations for name, value in self.found.items()}
        return {**found, "falsely passed otherwise": float(otherwise / simulations)}


def others(generator, images):
    """Sizes of lesions that are no melanoma [G], which sum to `images`."""
    known = [size for code, own in SIZES.items() if code != "mel" for size in own]
    counts = [count for code, own in SIZES.items() if code != "mel" for count in own.values()]
    sizes = generator.choice(known, p=np.array(counts) / sum(counts), size=images)
    sizes = sizes[: int(np.searchsorted(np.cumsum(sizes), images)) + 1].copy()
    sizes[-1] -= sizes.sum() - images
    return sizes[sizes > 0]


def noise(generator, codes, correlation, count):
    """Standard normal scores [count, N], of two images of a lesion correlated."""
    groups = int(codes[-1]) + 1
    lesion = generator.standard_normal((count, groups), dtype=np.float32)[:, codes]
    own = generator.standard_normal((count, len(codes)), dtype=np.float32)
    return np.sqrt(correlation) * lesion + np.sqrt(1 - correlation) * own


class Ranked:
    """A test set of two classes."""

    def __init__(self, generator):
        sides = lesions(generator, MELANOMAS), others(generator, OTHERS)
        both = np.concatenate(sides)
        self.codes = np.repeat(np.arange(len(both)), both)
        self.labels = (self.codes < len(sides[0])).astype(np.int64)
        self.groups = tuple(map(len, sides))

    def placed(self, scores):
        """(AUROC, sums of each lesion's deviations [G] of melanomas, of others)."""
        positive, negative = scores[self.labels == 1], scores[self.labels == 0]
        below = np.searchsorted(np.sort(negative), positive) / len(negative)
        above = 1 - np.searchsorted(np.sort(positive), negative) / len(positive)
        auc = below.mean()
        size = sum(self.groups)
        return auc, [
            np.bincount(self.codes[self.labels == side], (own - auc) / len(own), minlength=size)
            for side, own in ((1, below), (0, above))
        ]

    def covariance(self, left, right):
        """Obuchowski's; no lesion is of both classes here."""
        return sum(
            count / (count - 1) * float((one * other).sum())
            for count, one, other in zip(self.groups, left, right, strict=True)
        )

    def pair(self, candidate, baseline):
        (ours, mine), (theirs, other) = self.placed(candidate), self.placed(baseline)
        return PairedAuc(
            candidate=float(ours),
            baseline=float(theirs),
            variances=(self.covariance(mine, mine), self.covariance(other, other)),
            covariance=self.covariance(mine, other),
            groups=min(self.groups),
        )


def aurocs(recall, correlation, agree, margin, simulations):
    """Wrong verdicts about AUROC, a share each."""
    about = [int(1000 * value) for value in (recall, correlation, agree, margin)]
    generator, counts, seen = np.random.default_rng([3, *about]), Counts(), 0
    shift = special.ndtri(0.9) + special.ndtri(recall)
    lower = np.sqrt(2) * special.ndtri(special.ndtr(shift / np.sqrt(2)) - margin)
    for start in range(0, simulations, BATCH):
        count, test = min(BATCH, simulations - start), Ranked(generator)
        common, *own = (noise(generator, test.codes, correlation, count) for _ in range(3))
        first, second = (np.sqrt(agree) * common + np.sqrt(1 - agree) * part for part in own)
        critical = float(special.stdtrit(min(test.groups) - 1, 1 - ALPHA))
        for before, after in zip(first + shift * test.labels, second, strict=True):
            equal = test.pair(after + shift * test.labels, before)
            worse = test.pair(after + lower * test.labels, before)
            counts.add(ranked_bounds(equal, ALPHA), ranked_bounds(worse, ALPHA), margin)
            seen += worse.difference + margin > critical * np.sqrt(worse.spread)
    return counts.shares(simulations, seen)


def numbers(generator, codes, groups, correlation, count):
    """Uniform numbers [count, N], of two images of a lesion correlated."""
    own = generator.random((count, len(codes)), dtype=np.float32)
    lesion = generator.random((count, groups), dtype=np.float32)[:, codes]
    taken = generator.random(own.shape, dtype=np.float32) < np.sqrt(correlation)
    return np.where(taken, lesion, own)


def class_of(before, after, sizes):
    """What the gate reads of one class in each simulation."""
    change, total = after.astype(np.float64) - before, float(sizes.sum())
    whole = sizes.astype(np.float64)
    gained, lost = (after & ~before).mean(axis=1), (before & ~after).mean(axis=1)
    for sums, up, down in zip(by_lesion(change, sizes), gained, lost, strict=True):
        pairs = paired_share(sums, whole, gained=float(up), lost=float(down))
        yield ClassPairs(pairs=pairs, groups=len(sizes), most=total)


def balanced(recall, correlation, margin, simulations):
    """Wrong verdicts about balanced accuracy, a share each."""
    about = [int(1000 * value) for value in (recall, correlation, margin)]
    generator, counts, resampled = np.random.default_rng([4, *about]), Counts(), 0
    sizes = sizes_of("balanced accuracy", "test split")
    for seed, start in enumerate(range(0, simulations, BATCH)):
        count, lowered, pairs = min(BATCH, simulations - start), 0.0, []
        for index, own in enumerate(sizes):
            codes = np.repeat(np.arange(len(own)), own)
            common, alone, shared = (
                numbers(generator, codes, len(own), correlation, count) for _ in range(3)
            )
            number = np.where(shared < 2 / 3, common, alone)
            before, equal, worse = common < recall, number < recall, number < recall - margin
            pairs.append(
                zip(class_of(before, equal, own), class_of(before, worse, own), strict=True)
            )
            drawn = draws(len(own), 0, REPLICATES + 1, seed + STRATUM * (1 + index)).astype(float)
            sums = by_lesion(worse.astype(np.float64) - before, own)
            lowered = lowered + sums @ drawn[:, 1:] / (own @ drawn[:, 1:]) / len(sizes)
        for classes in zip(*pairs, strict=True):
            equal, worse = zip(*classes, strict=True)
            counts.add(mean_bounds(equal, ALPHA), mean_bounds(worse, ALPHA), margin)
        resampled += (np.quantile(lowered, ALPHA, axis=1) > -margin).sum()
    return counts.shares(simulations, resampled)


def rates(simulations):
    """Every setting, one after the other."""
    for recall in RECALLS:
        for correlation in CORRELATIONS:
            for margin in MARGINS:
                place = {"recall": recall, "correlation": correlation, "margin": margin}
                for agree in AGREE:
                    found = aurocs(recall, correlation, agree, margin, simulations)
                    yield {"metric": "AUROC", **place, "agree": agree, **found}
                found = balanced(recall, correlation, margin, simulations)
                yield {"metric": "balanced accuracy", **place, **found}


def summary(table):
    """One line: the worst of what is promised, and the fact beside it."""
    said = []
    for metric in dict.fromkeys(line["metric"] for line in table):
        own = [line for line in table if line["metric"] == metric]
        worst = [f"{name} in at most {max(x[name] for x in own):.4f}" for name in LIMITS]
        said.append(f"{metric}: {', '.join(worst)}")
        plain = max(x["falsely passed otherwise"] for x in own)
        said[-1] += f" ({plain:.4f} {OTHERWISE[metric]})"
    return "; ".join(said)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--simulations", type=int, default=10_000)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    table = []
    for line in rates(options.simulations):
        table.append(line)
        print(line, flush=True)  # noqa: T201
    if options.json:
        options.json.write_text(json.dumps(table, indent=1) + "\n", encoding="utf-8")
    forgiven = 3 * np.sqrt(ALPHA * (1 - ALPHA) / options.simulations)
    broken = [x for x in table for name, limit in LIMITS.items() if x[name] > limit + forgiven]
    print(summary(table))  # noqa: T201
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
