"""The proofs in full, one after the other: `make prove`.

    python tests/prove/run.py [kills|gate|gate_ranked|...] [options of the one named]

Each proof is a program of its own under tests/prove that exits with 1 where it fails and says on
its last line what it found. Their results, with date, machine and commit, are written to
tests/prove/README.md. Exits with 1 where any failed.
"""

# ruff: noqa: T201

from __future__ import annotations

import argparse
import datetime
import os
import platform
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
README = Path(__file__).with_name("README.md")
HEAD = "| proof | what is shown | result | found | date | machine | commit | took |"
SURVIVED = "survived "


@dataclass(frozen=True, kw_only=True)
class Proof:
    """A program and what it shows."""

    module: str
    shows: str
    options: tuple[str, ...] = ()


PROOFS = {
    "kills": Proof(
        module="tests.prove.kills",
        shows="20 SIGKILLs of the driver at random moments change no byte of the scorecard and "
        "of the predictions, and no finished fit is trained again",
        options=("--kills", "20"),
    ),
    "nodes": Proof(
        module="tests.prove.nodes",
        shows="of two nodes (real processes of Ray on one machine) one is killed in training, one "
        "while it builds a store and one in inference: every cell is scored, with the bytes of one "
        "node and the same engine; the head killed: the next run goes on to the same bytes",
    ),
    "outages": Proof(
        module="tests.prove.outages",
        shows="a shared folder that fails for 30 s and a disk that is full in training change no "
        "byte of the scorecard and of the predictions, and no finished fit is trained again",
        options=("--seconds", "30"),
    ),
    "together": Proof(
        module="tests.prove.together",
        shows="two runs of one suite at the same time in one store train each fit once between "
        "them, though one is killed, and end with the bytes of one alone; in one folder the second "
        "is refused",
    ),
    "scale": Proof(
        module="tests.prove.scale",
        shows="200 cells of a tiny model cost at most 0.35 s each beside their training; memory is "
        "as large at the last as at the 20th; no open file, no process and nothing in /dev/shm is "
        "left",
        options=("--cells", "200"),
    ),
    "gate": Proof(
        module="tests.prove.gate_simulation",
        shows="10,000 simulated pairs of models for each of 18 settings: at recalls of 0.55, 0.8 "
        "and 0.95 the gate regresses an equal model in at most 6 % and passes a loss of the "
        "margin in at most 7 %",
        options=("--simulations", "10000"),
    ),
    "gate_ranked": Proof(
        module="tests.prove.gate_ranked",
        shows="the same of AUROC and of balanced accuracy: 10,000 simulated pairs of models for "
        "each of 36 settings, margins of 0.02 and 0.05",
        options=("--simulations", "10000"),
    ),
    "coverage": Proof(
        module="tests.prove.coverage",
        shows="10,000 simulated test sets with HAM10000's lesions for each of 72 settings: 95 % "
        "intervals of recall, specificity, balanced accuracy and AUROC hold the truth in 93 to "
        "97 %",
        options=("--simulations", "10000"),
    ),
    "duplicates": Proof(
        module="tests.prove.duplicates",
        shows="of 5,000 copies of HAM10000 images, each turned, flipped, cropped, lit and "
        "compressed at once, the near-duplicate search finds at least 98 %; of 5,000 pairs of "
        "different lesions, half of them with dark rims, it reports none",
        options=("--pairs", "5000"),
    ),
    "fuzz": Proof(
        module="tests.prove.fuzz",
        shows="of 50,000 inputs from strangers (suites, tables, one-hot tables, predictions, "
        "archives) every one is read or refused on one line: no other exception, no second of "
        "work on one, nothing written outside its folder, nothing unpickled",
        options=("--inputs", "50000"),
    ),
    "slurm": Proof(
        module="tests.prove.slurm",
        shows="on a real Slurm of one node the batch script of `skinbench deploy --slurm` runs a "
        "suite to its end, stops where it is cancelled and leaves no process, and at its time "
        "limit submits itself again and ends the suite without training anything twice",
    ),
    "storage": Proof(
        module="tests.prove.storage",
        shows="on a real S3 server that checks keys (SeaweedFS) wrong keys are refused, and of 20 "
        "writes whose connection breaks at a drawn moment no other machine takes one for whole, "
        "and none is lost",
    ),
    "estimate": Proof(
        module="tests.prove.estimate",
        shows="the makespan that `plan --estimate` simulates is within 15 % of the measured one, "
        "on one worker and on two",
    ),
    "mutations": Proof(
        module="tests.prove.mutations",
        shows="of a sample of mutants of the gate, the splits, the intervals and the metrics, "
        "the tests notice at least nine in ten",
        options=("--sample", "150"),
    ),
}


def run(name, extra):
    """Run a proof, its lines shown as they come; (passed, lines, seconds)."""
    proof, began, lines = PROOFS[name], time.monotonic(), []
    process = subprocess.Popen(
        [sys.executable, "-m", proof.module, *proof.options, *extra],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    for line in process.stdout:
        print(f"  {line}", end="", flush=True)
        lines.append(line.rstrip())
    passed = process.wait() == 0
    return passed, [line for line in lines if line] or ["said nothing"], time.monotonic() - began


def machine():
    """E.g. `2 cores, AMD EPYC`."""
    model = ""
    if Path("/proc/cpuinfo").exists():
        text = Path("/proc/cpuinfo").read_text("utf-8")
        found = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
        model = found.group(1).strip() if found else ""
    return f"{os.cpu_count()} cores, {model or platform.processor() or platform.machine()}"


def commit():
    """Short name of the commit; with a + where the code differs from it."""
    git = ["git", "-C", str(ROOT)]
    head = subprocess.run([*git, "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    changes = subprocess.run(
        [*git, "status", "--porcelain", "src", "tests"], capture_output=True, text=True
    )
    return (head.stdout.strip() or "none") + ("+" if changes.stdout.strip() else "")


def record(name, passed, lines, seconds, at):
    """Replace a proof's line in the README, and the list of survivors if it is about mutants."""
    cells = [
        name,
        PROOFS[name].shows,
        "passed" if passed else "**failed**",
        lines[-1].replace("|", "\\|"),
        datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        machine(),
        at,
        f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s",
    ]
    text = README.read_text("utf-8")
    before, _, rest = text.partition(HEAD)
    rule, *rows = re.findall(r"^\|.*$", rest, re.MULTILINE)
    after = rest[rest.rindex((rows or [rule])[-1]) + len((rows or [rule])[-1]) :]
    kept = {row.split("|")[1].strip(): row for row in rows}
    kept[name] = f"| {' | '.join(cells)} |"
    table = [HEAD, rule, *(kept[proof] for proof in PROOFS if proof in kept)]
    if name == "mutations":
        after = survivors(after, lines)
    README.write_text(before + "\n".join(table) + after, encoding="utf-8")


def survivors(text, lines):
    """The part after the table, with this sample's survivors under their heading."""
    title = "## Survivors of that sample\n"
    found = [line.removeprefix(SURVIVED).strip() for line in lines if line.startswith(SURVIVED)]
    before, _, _ = text.partition(title)
    return before + title + "\n" + "".join(f"- {line}\n" for line in found or ["none"])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("proofs", nargs="*", metavar="PROOF", help=", ".join(PROOFS))
    options, extra = parser.parse_known_args()
    unknown = [name for name in options.proofs if name not in PROOFS]
    if unknown:
        parser.error(f"unknown: {', '.join(unknown)}; use {', '.join(PROOFS)}")
    names = options.proofs or list(PROOFS)
    if extra and len(names) != 1:
        parser.error(f"{' '.join(extra)}: options go to a proof that is named alone")
    at, table = commit(), []
    for name in names:
        print(f"{name}: {PROOFS[name].shows}", flush=True)
        passed, lines, seconds = run(name, extra)
        record(name, passed, lines, seconds, at)
        table.append((name, passed, lines[-1], seconds))
    print()
    for name, passed, found, seconds in table:
        print(f"{name:10} {'passed' if passed else 'FAILED'} {seconds:6.0f} s  {found}")
    return 0 if all(passed for _, passed, _, _ in table) else 1


if __name__ == "__main__":
    sys.exit(main())
