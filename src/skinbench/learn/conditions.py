"""What a condition's name asks for: changed pixels, or changed metadata."""

from __future__ import annotations

from skinbench import registry
from skinbench.errors import UsageError
from skinbench.records import ConditionEntry


def parse_condition(text: str) -> tuple[str, int] | None:
    """`blur@3` as (name, strength 1 to 5), `metadata_missing` as (name, 0), `none` as None.

    Raises:
        UsageError: the text has another form.
        UnknownNameError: no such condition.
    """
    if text == "none":
        return None
    name, at, strength = text.partition("@")
    if not at and name in registry.conditions.names() and not takes_strength(name):
        return name, 0
    if strength not in tuple("12345"):
        raise UsageError(f"condition '{text}': expected `none` or NAME@1 to NAME@5")
    if not takes_strength(name):
        raise UsageError(f"condition '{text}': {name} has no strength; write {name}")
    return name, int(strength)


def takes_strength(name: str) -> bool:
    """Whether a condition is asked for as NAME@1 to NAME@5.

    Raises:
        UnknownNameError: no such condition.
    """
    return registry.conditions.get(name).apply is not None


def alters_pixels(text: str) -> bool:
    """Whether networks see other pixels under a condition than stored features were made of."""
    return entry_of(text).apply is not None


def entry_of(text: str) -> ConditionEntry:
    """The catalog's entry for a condition as written; for `none` one that does nothing."""
    parsed = parse_condition(text)
    return ConditionEntry(version=0) if parsed is None else registry.conditions.get(parsed[0])
