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
import importlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

import pytest

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


def noticed(folder, tests, limit):
    """Run tests on a copy: '' where all pass, else the first that fails, or `never ended`.

    In a fork of this process, which has the big libraries loaded and skinbench not.
    """
    log, deadline = folder / "log.txt", time.monotonic() + limit
    child = os.fork()
    if child == 0:
        code = 70
        try:
            code = run_tests(folder, tests, log)
        finally:
            os._exit(code)
    while not (ended := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > deadline:
            os.kill(child, signal.SIGKILL)
        time.sleep(0.05)
    if os.WIFSIGNALED(ended[1]):
        return "never ended"
    code = os.WEXITSTATUS(ended[1])
    bad = [line for line in log.read_text("utf-8").splitlines() if line[:5] in ("FAILE", "ERROR")]
    return (bad or [f"pytest ended with {code}"])[0] if code else ""


def run_tests(folder, tests, log):
    """In the fork: pytest's exit code, or 71 where it was not the copy that was tested."""
    with log.open("wb") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    os.chdir(folder)
    os.environ["PYTHONPATH"] = f"{folder / 'src'}:{folder}"
    here = [path for path in sys.path if path not in ("", str(ROOT))]
    sys.path[:] = [str(folder / "src"), str(folder), *here]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    chosen = ["-m", "not real and not ray and not torch", *tests]
    code = pytest.main(["-x", "-q", "-p", "no:cacheprovider", "--hypothesis-seed=0", *chosen])
    import skinbench

    return int(code) if Path(skinbench.__file__).is_relative_to(folder) else 71


def tried(folder, path, number, tests, limit):
    """One mutant, in a copy that is as it was afterwards."""
    source = (folder / path).read_text("utf-8")
    what = "unchanged" if number is None else mutate(folder / path, number)
    started = time.monotonic()
    try:
        found = noticed(folder, tests, limit)
    finally:
        (folder / path).write_text(source, encoding="utf-8")
    return {"file": str(path), "what": what, "found": found, "seconds": time.monotonic() - started}


def preload():
    """Load what every fork needs, on one thread, for threads do not survive a fork."""
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    sys.dont_write_bytecode = True
    for name in ("pandas", "pyarrow.parquet", "pydantic", "scipy.stats", "sklearn.metrics"):
        importlib.import_module(name)


def sampled(options, folder):
    """Results of the sample, or of the unchanged code alone where its tests fail."""
    for part in ("src", "tests", "suites"):
        shutil.copytree(ROOT / part, folder / part)
    shutil.copy(ROOT / "pyproject.toml", folder)
    every = list(mutants(options.only))
    chosen = sorted(random.Random(options.seed).sample(every, min(options.sample, len(every))))
    whole = sorted({test for _, _, tests in chosen for test in tests})
    calm = tried(folder, chosen[0][0], None, whole, 1200)
    if calm["found"]:
        raise SystemExit(f"the tests fail without a mutant: {calm['found']}")
    results = []
    for place in chosen:
        results.append(tried(folder, *place, 60 + 5 * calm["seconds"]))
        state = "killed  " if results[-1]["found"] else "survived"
        print(state, f"{results[-1]['file']}:{results[-1]['what']}", flush=True)
    return results, len(every)


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sample", type=int, default=150)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", default="", help="part of a path, e.g. gate")
    parser.add_argument("--least", type=float, default=0.9, help="share that must be noticed")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args(arguments)
    preload()
    with tempfile.TemporaryDirectory(prefix="mutants-") as name:
        results, there = sampled(options, Path(name).resolve())
    killed = sum(bool(one["found"]) for one in results)
    print(f"{killed} of {len(results)} mutants noticed, drawn with seed {options.seed} of {there}")
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    return 0 if killed >= options.least * len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
