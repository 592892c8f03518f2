"""Whether the tests notice when the code that decides is wrong: a seeded sample of mutants.

    python -m tests.prove.mutations [--sample 150] [--seed 0] [--only gate] [--json FILE]

Each mutant is one change of one node: a comparison, a number, a truth value, and/or, a sign, an
operator, the test of an `if`, or a returned value that becomes None. It is made in a copy of the
package, and the tests of its part run on that copy until one fails. Not mutated, because no test
could or should tell: annotations, decorators, texts, and version numbers. Exits with 1 where a
smaller share than `--least` is noticed, or the tests fail without a mutant.
"""
# ruff: noqa: T201

from __future__ import annotations

import argparse
import ast
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE = ROOT / "src" / "skinbench"
SPLITS = [f"tests/data/test_{name}.py" for name in ("assign", "splits", "audit", "published")]
PARTS = {  # what is mutated: glob under src/skinbench, and the tests that must notice
    "gate/*.py": ["tests/gate"],
    "data/splits.py": SPLITS,
    "data/assign.py": SPLITS,
    "score/replicates.py": ["tests/score", "tests/gate"],
    "score/intervals.py": ["tests/score", "tests/gate"],
    "score/proportions.py": ["tests/score", "tests/gate"],
    "catalog/metrics/*.py": ["tests/score", "tests/gate"],
}
SWAPS = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.Is: ast.IsNot,
    ast.IsNot: ast.Is, ast.And: ast.Or, ast.Or: ast.And, ast.Add: ast.Sub, ast.Sub: ast.Add,
    ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult, ast.Mod: ast.Mult,
    ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
}  # fmt: skip
SKIPPED = {"annotation", "returns", "decorator_list"}


def sites(node):
    """(node, field, index or None, replacement) of every mutant, in the order of the file."""
    for name, value in ast.iter_fields(node):
        for index, child in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(child, ast.AST) or name in SKIPPED:
                continue
            if isinstance(child, ast.keyword) and child.arg == "version":
                continue
            for new in replacements(node, name, child):
                yield node, name, index, new
            yield from sites(child)


def replacements(parent, name, child):
    """What may stand in the place of a node."""
    if type(child) in SWAPS:
        yield SWAPS[type(child)]()
    elif isinstance(child, ast.Constant) and isinstance(child.value, bool):
        yield ast.Constant(not child.value)
    elif isinstance(child, ast.Constant) and isinstance(child.value, (int, float)):
        yield ast.Constant(child.value + 1)
    elif isinstance(child, ast.UnaryOp) and isinstance(child.op, (ast.Not, ast.USub, ast.Invert)):
        yield child.operand
    if name == "test" and isinstance(parent, (ast.If, ast.IfExp, ast.While)):
        yield ast.UnaryOp(ast.Not(), child)
    if name == "value" and isinstance(parent, ast.Return) and ast.unparse(child) != "None":
        yield ast.Constant(None)


def mutants(only):
    """(file, number in the file, tests) of all mutants there are."""
    for pattern, tests in PARTS.items():
        for path in sorted(CODE.glob(pattern)) if only in pattern else ():
            for number, _ in enumerate(sites(ast.parse(path.read_text("utf-8")))):
                yield path.relative_to(ROOT), number, tests


def mutate(path, number):
    """Change one node of a file; `line: old -> new`."""
    tree = ast.parse(path.read_text("utf-8"))
    node, name, index, new = list(sites(tree))[number]
    child = getattr(node, name) if index is None else getattr(node, name)[index]
    line = getattr(child, "lineno", None) or node.lineno
    old = ast.unparse(node)
    if index is None:
        setattr(node, name, new)
    else:
        getattr(node, name)[index] = new
    changed = ast.unparse(ast.fix_missing_locations(node))
    path.write_text(ast.unparse(tree) + "\n", encoding="utf-8")
    return f"{line}: `{shortened(old)}` -> `{shortened(changed)}`"


def shortened(text, most=160):
    first = " ".join(text.split())
    return first if len(first) <= most else first[:most] + "..."


def notices(folder, tests, limit):
    """Run tests on a copy: '' where all pass, else the first that fails (or `timeout`)."""
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    command += ["-m", "not real and not ray and not torch", "--hypothesis-seed=0"]
    env = {**os.environ, "PYTHONPATH": "src:.", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(
            command, cwd=folder, env=env, capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return "timeout"
    bad = [line for line in done.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
    return "" if done.returncode == 0 else (bad[0] if bad else done.stderr[-200:] or "no tests ran")


def tried(path, number, tests, limit):
    """One mutant in a copy of its own."""
    with tempfile.TemporaryDirectory(prefix="mutant-") as name:
        for part in ("src", "tests", "suites", "pyproject.toml"):
            source = ROOT / part
            copy = shutil.copytree if source.is_dir() else shutil.copy
            copy(source, Path(name) / part)
        what = "unchanged" if path is None else mutate(Path(name) / path, number)
        started = time.monotonic()
        found = notices(name, tests, limit)
        return {"file": str(path), "what": what, "found": found, "s": time.monotonic() - started}


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a path, e.g. gate")
    parser.add_argument("--least", type=float, default=0.9, help="share that must be noticed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    every = list(mutants(options.only))
    chosen = sorted(random.Random(options.seed).sample(every, min(options.sample, len(every))))
    whole = sorted({test for _, _, tests in chosen for test in tests})
    calm = tried(None, 0, whole, 900)
    if calm["found"]:
        print(f"the tests fail without a mutant: {calm['found']}")
        return 1
    results = []
    for place in chosen:
        results.append(tried(*place, 60 + 5 * calm["s"]))
        state = "killed  " if results[-1]["found"] else "survived"
        print(state, f"{results[-1]['file']}:{results[-1]['what']}", flush=True)
    killed = sum(bool(one["found"]) for one in results)
    timeouts = sum(one["found"] == "timeout" for one in results)
    print(
        f"{killed} of {len(results)} mutants noticed ({timeouts} by never ending), drawn with seed "
        f"{options.seed} from {len(every)}"
    )
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if killed >= options.least * len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
