"""Every exception that skinbench raises on purpose, each with its exit code.

    SkinbenchError              1   something failed; the message says what to do next
    |- UsageError               2   the command line or a name in it is wrong
    |  |- SuiteError            2   the suite file is wrong: file, line and key
    |  `- UnknownNameError      2   a name that no registry knows; carries the nearest one
    |- DataError                1   a dataset on disk is not what it should be
    |- LeakageError             1   train and test share images, lesions, patients or files
    |- StoreError               1   a stored object cannot be read or written
    |  `- CorruptObjectError    1   its content does not match its digest
    |- PredictionsError         1   a predictions table breaks its schema
    |- BaselineError            1   a baseline was edited, or cannot be read
    |- ResourceError            1   the machine or cluster cannot hold what was asked for
    |- MissingExtraError        1   an optional dependency is not installed
    `- RunInterrupted         130   stopped by the user; carries the command that continues

Failure of one cell is a value (records.FitRecord), never one of these.
"""

from __future__ import annotations

from pathlib import Path


def one_line(text: str) -> str:
    """Text from a stranger's file, with line ends and terminal controls made visible."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def counted(number: int, noun: str, plural: str = "") -> str:
    """`1 image`, `2,003 images`; the plural is given where it takes more than an s."""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'}"


class SkinbenchError(Exception):
    """Root of the tree. `str(error)` is one line meant for a person."""

    exit_code = 1

    def __str__(self) -> str:
        """One line, whatever of a stranger's file a message quotes."""
        return one_line(super().__str__())


class UsageError(SkinbenchError):
    """The command line asks for something that does not exist or cannot be."""

    exit_code = 2


class SuiteError(UsageError):
    """A suite file breaks its schema.

    Args:
        message: what is wrong and what was expected.
        path: the suite file; None when the suite came from memory.
        line: 1-based line of the offending key or value, where known.
        key: dotted path of the key, e.g. `rows.p1/multimodal.model`.
    """

    def __init__(
        self, message: str, *, path: Path | None = None, line: int | None = None, key: str = ""
    ) -> None:
        self.message, self.path, self.line, self.key = message, path, line, key
        where = str(path) if path else "suite"
        if line is not None:
            where += f":{line}"
        super().__init__(one_line(f"{where}: {key + ': ' if key else ''}{message}"))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by keyword, since Ray carries exceptions between processes."""
        return (_suite_error, (self.message, self.path, self.line, self.key))


def _suite_error(message: str, path: Path | None, line: int | None, key: str) -> SuiteError:
    return SuiteError(message, path=path, line=line, key=key)


class UnknownNameError(UsageError):
    """No registry entry has this name; the message suggests the nearest ones."""


class DataError(SkinbenchError):
    """A dataset on disk is missing, unreadable or contradicts its own tables."""


class LeakageError(SkinbenchError):
    """Two splits share what they must not, and the suite says `leakage: error`."""


class StoreError(SkinbenchError):
    """A stored object cannot be read or written."""


class CorruptObjectError(StoreError):
    """A stored object exists but its content does not match its marker."""


class BusyError(StoreError):
    """Another process is at work in a folder, and did not end in time."""


class PredictionsError(SkinbenchError):
    """A predictions table breaks its schema; the message names file, column and row."""


class BaselineError(SkinbenchError):
    """A gate baseline was edited by hand, has another schema, or cannot be read."""


class ResourceError(SkinbenchError):
    """The machine or cluster cannot hold what the suite asks for."""


class MissingExtraError(SkinbenchError):
    """A command needs an optional dependency that is not installed."""

    def __init__(self, what: str, extra: str) -> None:
        self.what, self.extra = what, extra
        super().__init__(f"{what} needs the extra '{extra}': pip install 'skinbench[{extra}]'")

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle by constructor arguments."""
        return (MissingExtraError, (self.what, self.extra))


class RunInterrupted(SkinbenchError):
    """The user stopped the run; what is finished is kept."""

    exit_code = 130
