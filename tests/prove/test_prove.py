import ast

import pytest

from tests.prove import mutations, run

CODE = """
@dataclass(frozen=True)
class A:
    x: int | None = field(version=1)

def f(a: int = 3) -> int | None:
    "text 7"
    if not a:
        return a + 1
    return None
"""
MUTANTS = {
    "3: `version=1` -> `version=2`": False,
    "6: `a: int=3` -> `a: int=4`": True,
    "8: `if not a: return a + 1` -> `if a: return a + 1`": True,
    "8: `if not a: return a + 1` -> `if not not a: return a + 1`": True,
    "9: `return a + 1` -> `return None`": True,
    "9: `a + 1` -> `a - 1`": True,
    "9: `a + 1` -> `a + 2`": True,
}


def test_every_mutant_changes_one_node_and_none_that_no_test_can_tell(tmp_path):
    path = tmp_path / "code.py"
    found = set()
    for number, _ in enumerate(mutations.sites(ast.parse(CODE))):
        path.write_text(CODE)
        found.add(mutations.mutate(path, number))
        assert path.read_text() != ast.unparse(ast.parse(CODE)) + "\n"
    assert found == {text for text, there in MUTANTS.items() if there}


def test_the_mutants_are_of_every_part():
    files = {str(path) for path, _, _ in mutations.mutants("")}
    for part in ("gate/judge", "data/assign", "score/intervals", "catalog/metrics/auroc"):
        assert f"src/skinbench/{part}.py" in files
    assert {str(path) for path, _, _ in mutations.mutants("assign")} == {
        "src/skinbench/data/assign.py"
    }


def test_a_result_takes_the_place_of_the_one_before(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "README", tmp_path / "README.md")
    text = f"# Proofs\n\n{run.HEAD}\n| --- |\n\n## What they do not show\n\nmuch\n"
    run.README.write_text(text)
    run.record("mutations", True, ["killed   a", "survived b.py:1", "9 of 10"], 100, "abc")
    run.record("kills", False, ["broken: x|y"], 30, "abc")
    run.record("mutations", True, ["survived c.py:2", "8 of 9"], 100, "abd+")
    found = run.README.read_text()
    rows = [line for line in found.splitlines() if line.startswith("| ")]
    assert [row.split(" | ")[0] for row in rows[2:]] == ["| kills", "| mutations"]
    assert "| **failed** | broken: x\\|y |" in rows[2]
    assert rows[3].endswith("| abd+ | 2 min |")
    assert "| 8 of 9 |" in rows[3]
    assert found.count("## Survivors") == 1
    assert found.endswith("- c.py:2\n")
    assert "much\n" in found


@pytest.mark.parametrize("arguments", [["none"], ["kills", "gate", "--json", "x"]])
def test_requests_that_cannot_be(monkeypatch, arguments):
    monkeypatch.setattr("sys.argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as error:
        run.main()
    assert error.value.code == 2
