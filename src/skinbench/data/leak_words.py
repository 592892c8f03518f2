"""Leaks in words: the one sentence of a split that errors, stamps and the plan print."""

from __future__ import annotations

from collections.abc import Mapping

from skinbench.records import AuditFinding, AuditReport, SplitTable

_WORDS = {
    "image_id": "are in {left} themselves",
    "lesion_id": "share a lesion with {left}",
    "patient_id": "share a patient with {left}",
    "file": "have an identical file in {left}",
    "pixels": "have equal pixels in another file of {left}",
    "near_duplicate": "have a near-duplicate in {left}",
    "label": "contradict the label of the same lesion in {left}",
}
_PAIRS = (("train", "test"), ("train", "val"), ("val", "test"))


def leaks(report: AuditReport) -> dict[str, str]:
    """What each split with findings shares, in words, whatever its policy; by split name."""
    names = dict.fromkeys(item.split for item in report.findings if not item.advisory)
    return {name: sentence(report, name) for name in names}


def stamps(report: AuditReport) -> dict[str, str]:
    """The line to print on every table of a split whose leaks were kept, by split name."""
    return {
        name: f"leaky split: {text}"
        for name, text in leaks(report).items()
        if report.policies[name] == "keep"
    }


def recognised(report: AuditReport) -> dict[str, str]:
    """What the nearest train thumbnail alone gets right, folds pooled, in words; by split name."""
    found = {}
    for name in dict.fromkeys(item.split for item in report.recognition):
        folds = [item for item in report.recognition if item.split == name]
        right, total = sum(item.right for item in folds), sum(item.total for item in folds)
        pairs = [item.per_class.get("mel", (0, 0)) for item in folds]
        part, whole = sum(pair[0] for pair in pairs), sum(pair[1] for pair in pairs)
        melanoma = f", of mel {100 * part / whole:.1f} %" if whole else ""
        share = f"{100 * right / max(1, total):.1f} %"
        found[name] = f"recognising alone (nearest train thumbnail): {share} right{melanoma}"
    return found


def refusal(report: AuditReport, splits: Mapping[str, SplitTable]) -> str:
    """Why the suite cannot be run as it is, and the way out; empty where it can."""
    refused = [name for name in leaks(report) if report.policies[name] == "error"]
    facts = "; ".join(f"split '{name}': {sentence(report, name)}" for name in refused)
    return f"{facts}; {_way_out(refused, splits)}" if refused else ""


def _way_out(refused: list[str], splits: Mapping[str, SplitTable]) -> str:
    """What to do; a further test set is judged by fits that exist, so nothing can be dropped."""
    copied = [name for name in refused if _copied(splits[name])]
    if copied:
        return (
            f"`oversample_first` of {', '.join(copied)} does so by design: say `leakage: keep` "
            f"there, or oversample inside train by `technique: oversampling`"
        )
    if any("@" in name for name in refused):
        return (
            "judge on images that train does not have (`exclude` them), or say `leakage: keep`; "
            "two datasets that use the same ids for different images need other ids"
        )
    return "group by lesion or patient, or say `leakage: drop` or `leakage: keep`"


def _copied(split: SplitTable) -> bool:
    """Whether an image is in several splits of a fold, in copies."""
    there = split.table.duplicated(["dataset", "image_id", "fold"], keep=False)
    return bool(there.any() and (split.table["copies"] > 1).any())


def sentence(report: AuditReport, name: str) -> str:
    """All that a split shares, folds pooled, the gravest first; no advisory findings."""
    parts = []
    for left, right in _PAIRS:
        for kind, words in _WORDS.items():
            findings = [
                f
                for f in report.findings
                if (f.split, f.left, f.right, f.kind) == (name, left, right, kind)
                and not f.advisory
            ]
            if findings:
                parts.append(_clause(findings, right, words.format(left=left)))
    return "; ".join(parts)


def _clause(findings: list[AuditFinding], right: str, words: str) -> str:
    count, total, shares = pooled(findings)
    shown = ""
    if shares:
        worst = max(sorted(shares), key=lambda code: shares[code][0] / shares[code][1])
        code = "mel" if "mel" in shares else worst
        shown = f" ({100 * shares[code][0] / shares[code][1]:.1f} % of {code})"
    if count < 0.0005 * total:  # would print as 0.0 %
        return f"{count:,} of {total:,} {right} images {words}"
    return f"{100 * count / total:.1f} % of {right} images{shown} {words}"


def pooled(findings: list[AuditFinding]) -> tuple[int, int, dict[str, tuple[int, int]]]:
    """Count, total, and (count, total) per class of findings of one kind over the folds."""
    shares: dict[str, tuple[int, int]] = {}
    for finding in findings:
        for code, (shared, size) in finding.per_class.items():
            before = shares.get(code, (0, 0))
            shares[code] = before[0] + shared, before[1] + size
    return sum(f.count for f in findings), sum(f.total for f in findings), shares
