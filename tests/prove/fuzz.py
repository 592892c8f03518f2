"""Inputs from strangers by the ten thousand: `python -m tests.prove.fuzz --inputs 50000`.

Each reader gets its share of inputs that hypothesis draws; a failure is made small and printed.
Exits with 1 where a reader answers with anything but its table or one line of ours, takes over a
second of work on one input, or writes outside its folder.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.fuzz.inputs import READERS
from tests.fuzz.sandbox import empty_folder


def attack(name: str, inputs: int, number: int) -> int:
    """Give a reader that many inputs; how many it got."""
    reader, parent, given_ = READERS[name], Path(tempfile.mkdtemp()), 0

    @seed(number)
    @settings(
        max_examples=inputs,
        database=None,
        derandomize=False,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def many(data: st.DataObject) -> None:
        nonlocal given_
        folder = empty_folder(parent)
        try:
            reader.attempt(folder, data.draw(reader.inputs))
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        given_ += 1

    try:
        many()
    finally:
        shutil.rmtree(parent, ignore_errors=True)
    return given_


def main() -> int:
    """Attack every reader; the last line says what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=50_000, help="of all readers together")
    parser.add_argument("--reader", choices=list(READERS), help="this one alone")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    names = [options.reader] if options.reader else list(READERS)
    total, broken = 0, []
    for name in names:
        began = time.monotonic()
        try:
            got = attack(name, -(-options.inputs // len(names)), options.seed)
        except Exception:
            traceback.print_exc()
            broken.append(name)
            continue
        total += got
        print(f"{name}: {got:,} inputs in {time.monotonic() - began:.0f} s", flush=True)
    print(f"{total:,} inputs survived" + (f"; broken: {', '.join(broken)}" if broken else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
