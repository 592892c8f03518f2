"""What a submission sends: skinbench as a wheel, and a suite with the small files it names.

Data and weights are never sent: they are where the cluster sees them. Nothing else of the folder
goes along, unless the working copy is asked for, and never what lies under `.git`.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

import skinbench
from skinbench.errors import UsageError, counted, one_line
from skinbench.suite import Suite, shipped_suites

LIMIT = 100 << 20
"""Bytes that a submission may have; Ray's job server takes no more than that in one package."""
SMALL = 5 << 20
"""Bytes of a file beside the suite that still goes along."""
_DATED = (1980, 1, 1, 0, 0, 0)
_PYTHON = "py3-none-any"


@dataclass(frozen=True, kw_only=True)
class Shipment:
    """Files that lie ready to be sent."""

    folder: Path
    """Becomes the job's working folder."""
    wheel: Path
    suite: str
    """The suite's path in the folder."""
    files: dict[str, int]
    """Path in the folder to bytes."""

    @property
    def size(self) -> int:
        """Bytes of everything."""
        return self.wheel.stat().st_size + sum(self.files.values())

    def lines(self) -> Iterator[str]:
        """How large it is, and what is in it."""
        named = ", ".join(list(self.files)[:5])
        more = f" and {len(self.files) - 5} more" if len(self.files) > 5 else ""
        wheel = megabytes(self.wheel.stat().st_size)
        yield f"sends {megabytes(self.size)}: {self.wheel.name} ({wheel}), {named}{more}"


def megabytes(size: int) -> str:
    """E.g. `1.2 MB`, `3 kB`."""
    return f"{size / 1e6:.1f} MB" if size >= 1e5 else f"{max(1, round(size / 1e3))} kB"


def pack_suite(suite: Suite, place: Path) -> Shipment:
    """Lay out the wheel, the suite and the small files that it names by relative paths.

    Raises:
        UsageError: the suite names data or weights by a path of this machine, or a file that is
            absent, large, or outside its folder.
    """
    folder = place / "working"
    folder.mkdir()
    refuse_local_data(suite)
    source = suite.document.path
    assert source is not None
    shutil.copyfile(source, folder / source.name)
    for key, name in small_files(suite):
        origin = suite.folder / name
        inside = ".." not in PurePosixPath(name).parts and origin.resolve().is_relative_to(
            suite.folder.resolve()
        )
        if not inside or not origin.is_file():
            raise UsageError(
                f"{source}: {key}: {one_line(name)} is no file in the suite's folder, and only "
                f"those are sent"
            )
        if origin.stat().st_size > SMALL:
            raise UsageError(
                f"{source}: {key}: {one_line(name)} has {megabytes(origin.stat().st_size)}; put it "
                f"where the cluster sees it and name it by an absolute path or ${{VARIABLE}}"
            )
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(origin, folder / name)
    return _shipment(folder, place, source.name)


def pack_working_copy(suite: Suite, root: Path, place: Path) -> Shipment:
    """Lay out the wheel and every file of a checkout that git tracks or would track.

    Raises:
        UsageError: `root` is no checkout, the suite is not in it, or it is too large.
    """
    source = suite.document.path
    assert source is not None
    if not source.resolve().is_relative_to(root.resolve()):
        raise UsageError(f"{source} is not in {root}, whose working copy is to be sent")
    ask = ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        said = subprocess.run(ask, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError) as error:
        raise UsageError(f"{root} is no working copy of git; leave --working-copy out") from error
    folder = place / "working"
    names = sorted({name for name in said.decode(errors="surrogateescape").split("\0") if name})
    kept = [name for name in names if (root / name).is_file() and not (root / name).is_symlink()]
    _check_size({name: (root / name).stat().st_size for name in kept})
    for name in kept:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(root / name, folder / name)
    return _shipment(folder, place, source.resolve().relative_to(root.resolve()).as_posix())


def _shipment(folder: Path, place: Path, suite: str) -> Shipment:
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    wheel = build_wheel(place)
    _check_size({**files, wheel.name: wheel.stat().st_size})
    return Shipment(folder=folder, wheel=wheel, suite=suite, files=files)


def _check_size(files: dict[str, int]) -> None:
    total = sum(files.values())
    if total > LIMIT:
        largest = sorted(files, key=lambda name: -files[name])[:3]
        shown = ", ".join(f"{one_line(name)} {megabytes(files[name])}" for name in largest)
        raise UsageError(
            f"{megabytes(total)} in {counted(len(files), 'file')} are too much to send "
            f"(at most {megabytes(LIMIT)}); the largest: {shown}"
        )


def small_files(suite: Suite) -> Iterator[tuple[str, str]]:
    """(key, relative path) of what the suite reads beside itself."""
    file = suite.file
    yield from (("plugins", name) for name in file.plugins)
    for name, split in file.splits.items():
        if split.file is not None:
            yield f"splits.{name}.file", split.file
    if file.audit.pairs is not None:
        yield "audit.pairs", file.audit.pairs
    # What is absolute or set by a variable is where the cluster sees it.


def refuse_local_data(suite: Suite) -> None:
    """Check that data and weights are named by paths that another machine may see.

    Raises:
        UsageError: one lies beside the suite.
    """
    named = [(f"data.{name}.root", item.root) for name, item in suite.file.data.items()]
    for row in suite.rows:
        model = row.settings.model
        if model is not None and model.weights is not None:
            named.append((f"{row.name}: weights.file", model.weights.file))
        if model is not None and model.trained is not None:
            named.append((f"{row.name}: trained.file", model.trained.file))
    named.append(("audit.weights", suite.file.audit.weights))
    for key, path in named:
        if path is not None and not _is_elsewhere(path):
            raise UsageError(
                f"{suite.document.path}: {key}: '{one_line(path)}' lies beside the suite, and data "
                f"and weights are never sent; name it by an absolute path that the cluster sees, "
                f"or by ${{SKINBENCH_DATA}} and --data"
            )


def _is_elsewhere(path: str) -> bool:
    return path.startswith(("/", "~", "${"))


# --- the wheel ---------------------------------------------------------------------------


def build_wheel(folder: Path) -> Path:
    """This installation of skinbench as a wheel, which states no dependencies.

    Ray knows a wheel by its name alone, so its content is in the name (as the build number). The
    nodes have what `skinbench[cluster]` brings: were it stated, each job would install it again.
    """
    package = Path(skinbench.__file__).parent
    files = {
        f"skinbench/{path.relative_to(package).as_posix()}": path.read_bytes()
        for path in sorted(package.rglob("*"))
        if path.is_file() and "__pycache__" not in path.parts
    }
    for path in shipped_suites().values():
        files[f"skinbench/suites/{path.name}"] = path.read_bytes()
    state = hashlib.sha256()
    for name, content in sorted(files.items()):
        state.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    version = skinbench.__version__
    build = f"0{state.hexdigest()[:12]}"
    about = f"skinbench-{version}.dist-info"
    stated = f"Metadata-Version: 2.1\nName: skinbench\nVersion: {version}\n"
    files[f"{about}/METADATA"] = stated.encode()
    files[f"{about}/WHEEL"] = (
        f"Wheel-Version: 1.0\nGenerator: skinbench\nRoot-Is-Purelib: true\n"
        f"Tag: {_PYTHON}\nBuild: {build}\n"
    ).encode()
    files[f"{about}/RECORD"] = _record(files, f"{about}/RECORD")
    wheel = folder / f"skinbench-{version}-{build}-{_PYTHON}.whl"
    with zipfile.ZipFile(wheel, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            info = zipfile.ZipInfo(name, _DATED)
            info.external_attr = 0o644 << 16
            archive.writestr(info, content, compress_type=zipfile.ZIP_DEFLATED)
    return wheel


def _record(files: dict[str, bytes], own: str) -> bytes:
    lines = []
    for name, content in files.items():
        digest = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
        lines.append(f"{name},sha256={digest},{len(content)}")
    return "\n".join([*lines, f"{own},,", ""]).encode()
