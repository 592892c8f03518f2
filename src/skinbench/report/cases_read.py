"""cases.json, of this version and of those before it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from skinbench.records import Answer, Case, CaseFile, CaseRule, CaseSet
from skinbench.store import from_plain


def read_cases(plain: Mapping[str, Any]) -> CaseFile:
    """Cases as a run wrote them; a list of cases for each row becomes a set for each row."""
    if "cases" not in plain:
        return from_plain(CaseFile, plain)
    rows = dict.fromkeys((item["row"], item["dataset"]) for item in plain["cases"])
    return CaseFile(
        method=str(plain.get("method", "")),
        sets=tuple(_earlier_set(plain["cases"], *key) for key in rows),
        notes=("Made by an earlier version: each row has its own cases, without counts.",)
        if rows
        else (),
    )


def _earlier_set(items: list[Mapping[str, Any]], row: str, dataset: str) -> CaseSet:
    own = [item for item in items if (item["row"], item["dataset"]) == (row, dataset)]
    rules = dict.fromkeys(item["rule"] for item in own)
    shown = {rule: [n for n, item in enumerate(own) if item["rule"] == rule] for rule in rules}
    return CaseSet(
        split="",
        dataset=dataset,
        rows=(row,),
        images=len(own),
        rules=tuple(
            CaseRule(text=rule, row=row, images=len(at), groups=len(at), shown=tuple(at))
            for rule, at in shown.items()
        ),
        cases=tuple(_earlier_case(item) for item in own),
    )


def _earlier_case(item: Mapping[str, Any]) -> Case:
    return Case(
        image_id=item["image_id"],
        dataset=item["dataset"],
        group_id=item["group_id"],
        label=item["label"],
        rule=item["rule"],
        row=item["row"],
        thumbnail=item.get("thumbnail", ""),
        answers=(
            Answer(
                row=item["row"],
                decided=item["decided"],
                probability=item["probability"],
                probability_of_label=item["probability_of_label"],
                overlay=item.get("heatmap", ""),
                overlay_of_label=item.get("heatmap_of_label", ""),
            ),
        ),
    )
