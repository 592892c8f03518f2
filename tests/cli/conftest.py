import pytest

from tests.cli.commands import Shell


@pytest.fixture
def shell(monkeypatch, capsys, tmp_path) -> Shell:
    """Commands called in an empty folder, with a store of their own, 80 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SKINBENCH_STORE", str(tmp_path / "store"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("NO_COLOR", "1")
    return Shell(monkeypatch, capsys)
