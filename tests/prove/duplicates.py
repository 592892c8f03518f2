"""The near-duplicate search on copies made of real images, and on real images of two lesions.

    python -m tests.prove.duplicates [--pairs 5000] [--seed 0]

Takes SKINBENCH_DATA/ham10000 and SKINBENCH_WEIGHTS. One image of each of `--pairs` lesions gets a
copy that is turned by quarters, flipped, cropped by up to 10 %, lit by +-20 % and saved at JPEG
quality 50-90, all at once; originals and copies are searched as one dataset. Then as many pairs of
different lesions are compared directly, half of them pictures that both have a dark rim, the
second of each altered in the same way. Exits with 1 where fewer than 98 % of the copies are found,
or any of the non-pairs is reported, be it for review.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from skinbench.data.manifest import DataRequest, read_manifest
from skinbench.learn.duplicates import find_near_duplicates
from skinbench.learn.near.between import REVIEW
from skinbench.learn.near.keypoints import dark_rim, find_keypoints
from skinbench.learn.near.matching import match, unit_descriptors
from skinbench.store import Store
from tests.learn.textures import altered, manifest_of

RECALL = 0.98


def originals(table, root, count, generator):
    """{image id: picture} of `count` lesions, one image each."""
    rows = table.iloc[generator.permutation(len(table))].drop_duplicates("lesion_id")[:count]
    return {
        image_id: Image.open(root / path).convert("RGB")
        for image_id, path in rows[["image_id", "path"]].sort_values("image_id").to_numpy()
    }


def search_copies(pictures, weights, folder, seed):
    """Shares of copies found, by verdict, and the pairs that are no copy."""
    copies = {
        f"{image_id}_copy": altered(picture, seed + number)
        for number, (image_id, picture) in enumerate(pictures.items())
    }
    manifest = manifest_of(folder / "images", {**pictures, **copies})
    began, cpu = time.monotonic(), time.process_time()
    found = find_near_duplicates(
        [manifest], Store(folder / "store"), weights=weights, workers=os.cpu_count() or 1
    )
    print(
        f"searched {found.images:,} images, compared {found.compared:,} pairs in "
        f"{time.monotonic() - began:.0f} s ({time.process_time() - cpu:.0f} s of CPU)",
        flush=True,
    )
    right = [pair for pair in found.pairs if pair.right.image_id == f"{pair.left.image_id}_copy"]
    wrong = [pair for pair in found.pairs if pair not in right]
    sure = sum(pair.verdict == "duplicate" for pair in right)
    lesions = {
        frozenset(n.image_id.removesuffix("_copy") for n in (p.left, p.right)) for p in wrong
    }
    print(f"pairs of two lesions: {sorted(sorted(pair) for pair in lesions)}")
    return sure / len(pictures), len(right) / len(pictures), len(lesions)


def false_pairs(pictures, count, generator, seed):
    """Non-pairs that are reported, and how many pictures have a dark rim."""
    names = list(pictures)
    grey = {name: np.asarray(pictures[name].convert("L")) for name in names}
    rims = [name for name in names if dark_rim(grey[name]).mean() > 0.02]
    reported = []
    for number in range(count):
        source = rims if number % 2 and len(rims) > 1 else names
        first, second = generator.choice(len(source), 2, replace=False)
        left, right = source[int(first)], source[int(second)]
        copy = np.asarray(altered(pictures[right], seed + number).convert("L"))
        result = match(local(grey[left]), local(copy))
        if result.inliers >= REVIEW:
            reported.append((left, right, result.inliers))
            print(f"non-pair reported: {left} {right} {result.inliers}", flush=True)
    return len(reported), len(rims)


def local(grey):
    keypoints = find_keypoints(grey)
    return unit_descriptors(keypoints.descriptors), keypoints.points


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args(arguments)
    data, weights = os.environ.get("SKINBENCH_DATA"), os.environ.get("SKINBENCH_WEIGHTS")
    if not data or not weights or not (Path(data) / "ham10000").is_dir():
        print("SKINBENCH_DATA with ham10000/ and SKINBENCH_WEIGHTS are needed")
        return 1
    generator = np.random.default_rng(options.seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        root = Path(data) / "ham10000"
        request = DataRequest(name="ham", adapter="ham10000", root=root)
        table = read_manifest(request, Store(folder / "read")).table
        pictures = originals(table, root, options.pairs, generator)
        sure, found, lesions = search_copies(pictures, Path(weights), folder, options.seed)
        false, rims = false_pairs(pictures, options.pairs, generator, options.seed)
    print(
        f"of {len(pictures):,} altered copies {found:.4f} found, {sure:.4f} as duplicate; of "
        f"{options.pairs:,} altered non-pairs, half of them among {rims:,} pictures with a dark "
        f"rim, {false} reported; {lesions} pairs of two lesions among {2 * len(pictures):,} images"
    )
    return 0 if found >= RECALL and false == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
