"""Tables from strangers: encodings, delimiters, broken lines, and very many rows."""

import csv
import subprocess
import sys
from pathlib import Path

import pytest

from skinbench.catalog.datasets import _tables
from skinbench.catalog.datasets._tables import read_table, rows_by_id
from skinbench.errors import DataError


def write(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_marks_and_line_ends(tmp_path: Path, mark: str, bom: bytes, end: str) -> None:
    lines = ["image_id,label", " a ,é", "", ",", '"b\n""c""",', ""]
    text = end.join(lines).replace(",", mark)
    table = read_table(write(tmp_path / "t.csv", bom + text.encode()))
    assert table.to_dict("list") == {
        "image_id": ["a", 'b\n"c"'],
        "label": ["é", None],
        "row": [2, 6],
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "row 1: the header is empty"),
        (b"\n\na,b\n", "row 1: the header is empty"),
        (b"a,b,a,b\n1,2,3,4\n", "row 1: the header names a column twice: 'a', 'b'"),
        (b"a,b\n1,2\n3\n", "row 3: has 1 cells, the header has 2"),
        (b"a,b\n1,2\n3,4,5\n", "row 3: has 3 cells, the header has 2"),
        (b"a,b\n\n\n1;2\n", "row 4: has 1 cells, the header has 2"),
        (b"a,b\n1,2\n3,Z\xfcrich\n", r"row 3: is not UTF-8 \(byte 0xfc\); save the table as UTF-8"),
        (b"a,b\n\xc3\xbc,\xfc\n", r"row 2: is not UTF-8 \(byte 0xfc\)"),
        (b"a,b\n1,\xc3", r"row 2: is not UTF-8 \(byte 0xc3\)"),
        (b"a,b\n1,2\n\0,4\n", "row 3: contains a NUL byte"),
        (b'a,b\n1,"2\n3,4\n', "row 3: unexpected end of data; is a quote not closed"),
        (b'a,b\n1,"2\n3,"4\n', "row 3: .*; is a quote not closed"),
        ("a,b\n1,2\n".encode("utf-16"), "row 1: is UTF-16; save the table as UTF-8"),
    ],
)
def test_what_is_no_table_names_file_and_row(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=rf"t\.csv: {message}"):
        read_table(write(tmp_path / "t.csv", content))


def test_rows_are_counted_over_blocks_of_bytes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "a,b\n" + "x,é\n" * 50
    for block in (7, 8, 9):
        monkeypatch.setattr(_tables, "_BLOCK", block)
        assert len(read_table(write(tmp_path / "t.csv", text.encode()))) == 50
        for bad in (b"x,\xe9\n", b"x,\0\n"):
            with pytest.raises(DataError, match="row 52: "):
                read_table(write(tmp_path / "t.csv", text.encode() + bad))


def test_rows_are_gathered_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_tables, "_ROWS", 4)
    for count in (0, 3, 4, 9):
        lines = "".join(f"i{k},x\n" for k in range(count))
        table = read_table(write(tmp_path / "t.csv", f"a,b\n{lines}".encode()))
        assert table["a"].tolist() == [f"i{k}" for k in range(count)]
        assert table["row"].tolist() == list(range(2, count + 2))


def test_rows_after_cells_of_several_lines_keep_their_line(tmp_path: Path) -> None:
    content = b'a,b\n"x\r\ny\rz\nw",1\n,\n"q",2\n3\n'
    table = read_table(write(tmp_path / "t.csv", content[:-2]))
    assert table["row"].tolist() == [5, 7]
    with pytest.raises(DataError, match="row 8: has 1 cells"):
        read_table(write(tmp_path / "t.csv", content))


def test_a_folder_or_nothing_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"cannot read .*: Is a directory"):
        read_table(tmp_path)
    with pytest.raises(DataError, match=r"cannot read .*: No such file"):
        read_table(tmp_path / "t.csv")


def test_rows_by_id_follow_the_first_table(tmp_path: Path) -> None:
    left = read_table(write(tmp_path / "l.csv", b"id,x\nb,1\na,2\nb,3\n"))
    right = read_table(write(tmp_path / "r.csv", b"id,y\na,10\nb,20\n"))
    found = rows_by_id(left, tmp_path / "l.csv", right, tmp_path / "r.csv", "id")
    assert found["y"].tolist() == ["20", "10", "20"]


READS = """\
import resource, sys
from pathlib import Path
from skinbench.catalog.datasets._tables import read_table
most = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = most()
print(len(read_table(Path(sys.argv[1]))), most() - before)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="ru_maxrss is in KiB on Linux")
def test_many_rows_cost_little_memory(tmp_path: Path) -> None:
    """Ten million, measured by hand, take in proportion.

    In a process of its own: in this one another test may have raised the mark already.
    """
    count = 250_000
    with (tmp_path / "t.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(("image_id", "path", "label", "age"))
        table.writerows(
            (f"ISIC_{k:08d}", f"images/ISIC_{k:08d}.jpg", ("mel", "nv")[k % 2], k % 90)
            for k in range(count)
        )
    words = [sys.executable, "-c", READS, str(tmp_path / "t.csv")]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=240)
    rows, kibibytes = map(int, done.stdout.split())
    assert rows == count
    assert kibibytes < 125 * 1024
