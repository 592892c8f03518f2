"""STARD-AI (Sounderajah 2025), each item with where a run folder answers it."""

from __future__ import annotations

from skinbench.report import facts as run_facts
from skinbench.report import numbers
from skinbench.report.card_facts import CardFacts
from skinbench.report.checklists import Checklist, Item


def _title(facts: CardFacts) -> str:
    return f"suite {facts.content.title}; accuracy of {facts.place.row.model}: {facts.headline()}"


def _intended(_: CardFacts) -> str:
    return "research: comparing models on archived images; no place in care is intended"


def _objectives(facts: CardFacts) -> str:
    claims = [c for c in facts.content.scorecard.claims if c.row == facts.place.row.name]
    if not claims:
        return ""
    return f"to hold {numbers.counted(len(claims), 'published number')} against a run"


def _design(facts: CardFacts) -> str:
    if facts.test is None:
        return ""
    if facts.test.info.synthetic:
        return "neither: the images were drawn by a program"
    return "retrospective use of stored images"


def _eligibility(facts: CardFacts) -> str:
    cleaned = facts.cleaning()
    return cleaned and f"images of the dataset with a label of the label space; {cleaned}"


def _source(facts: CardFacts) -> str:
    return "; ".join(f"{d.info.title} ({d.info.licence})" for d in facts.data)


def _software(facts: CardFacts) -> str:
    run = facts.content.run
    names = [f"{name} {version}" for name, version in sorted(run.environment.packages.items())]
    return ", ".join([f"skinbench {run.version}", *names]) if run.version or names else ""


def _development(facts: CardFacts) -> str:
    sizes = facts.sizes()
    return "; ".join(filter(None, (facts.training(), sizes, facts.grouping())))


def _reference(facts: CardFacts) -> str:
    table = facts.content.scorecard.weak_spots
    kinds = sorted({g.group for g in table.groups if g.slice == "dx_type"}) if table else []
    said = f"the dataset's own labels, in label space {facts.place.row.label_space}"
    return f"{said}; diagnoses made by {', '.join(kinds)}" if kinds else said


def _blind(facts: CardFacts) -> str:
    seen = facts.seen()
    said = "labels of test images were used for scoring only"
    return f"the model saw {seen}; {said}" if seen else said


def _statistics(facts: CardFacts) -> str:
    card = facts.content.scorecard
    return (
        f"{numbers.level(card.level)} intervals by lesion group, {card.replicates:,} bootstrap "
        f"replicates, others where images are few; comparisons paired and corrected by Holm"
    )


def _missing(facts: CardFacts) -> str:
    unlabelled = "images without a label are not scored; missing metadata is filled as in training"
    return "; ".join(filter(None, (facts.cleaning(), unlabelled)))


def _variability(facts: CardFacts) -> str:
    seeds = {cell.seed for cell in facts.cells}
    folds = {cell.fold for cell in facts.cells}
    said = f"{numbers.counted(len(seeds), 'seed')}, {numbers.counted(len(folds), 'fold')}"
    conditions = facts.conditions()
    return said + (f"; test images altered: {', '.join(conditions)}" if conditions else "")


def _baseline(facts: CardFacts) -> str:
    parts = [(part, facts.class_counts(part)) for part in ("train", "val", "test")]
    return "; ".join(f"{part}: {counts}" for part, counts in parts if counts)


def _alternatives(facts: CardFacts) -> str:
    counts = facts.class_counts("test")
    return f"test images by class: {counts}" if counts else ""


def _external(facts: CardFacts) -> str:
    if not facts.external:
        return "no external test set in this cell"
    names = dict.fromkeys(c.dataset for c in facts.counts if c.split == "train")
    return f"yes: trained on {', '.join(names)}, tested on {facts.place.dataset}"


def _limits(facts: CardFacts) -> str:
    stamp = facts.content.scorecard.stamps.get(facts.place.row.split, "")
    reduced = facts.content.run.reduced.get(facts.place.row.name, "")
    notes = (note.rstrip(".") for note in run_facts.data_notes(facts.content))
    return "; ".join(filter(None, (stamp, reduced, *notes)))


def _protocol(facts: CardFacts) -> str:
    said = "the suite with every default written out, suite.yaml of the run folder"
    return said if facts.content.suite_text else ""


def _available(facts: CardFacts) -> str:
    return f"{_source(facts)}; code: skinbench {facts.content.run.version}, Apache-2.0".rstrip()


STARD_AI = Checklist(
    name="stard-ai",
    title="STARD-AI 2025",
    source="Sounderajah et al., Nat Med 2025;31:3283, doi:10.1038/s41591-025-03953-8, table 2",
    items=(
        Item("1", "named as a study of AI accuracy, with a measure", _title),
        Item("2", "structured abstract"),
        Item("3", "background, intended use, place in the workflow", _intended),
        Item("4", "aims and hypotheses", _objectives),
        Item("5", "prospective or retrospective", _design),
        Item("6", "ethics approval, or why none"),
        Item("7", "who and which data were let in, in what order", _eligibility),
        Item("8", "how participants were found"),
        Item("9", "where and when"),
        Item("10", "consecutive, random or convenience series"),
        Item("11", "where the data come from", _source),
        Item("12", "who annotated, with what experience, how"),
        Item("13", "capturing devices; software and versions", _software),
        Item("14", "acquisition and preprocessing", CardFacts.preprocessing),
        Item("15a", "the index test, so that it can be repeated", CardFacts.training),
        Item("15b", "how it was developed, with sample sizes", _development),
        Item("15c", "cut-offs of the index test, chosen before or after", CardFacts.decision_rule),
        Item("15d", "who is to use it, with what expertise"),
        Item("16a", "the reference standard, so that it can be repeated", _reference),
        Item("16b", "why this reference standard"),
        Item("16c", "cut-offs of the reference standard"),
        Item("17a", "what readers of the index test knew", _blind),
        Item("17b", "what assessors of the reference standard knew"),
        Item("18", "methods of estimating and comparing accuracy", _statistics),
        Item("19", "indeterminate results"),
        Item("20", "missing data", _missing),
        Item("21", "analyses of variability", _variability),
        Item("22", "intended sample size"),
        Item("23", "error, bias and fairness analyses", CardFacts.subgroups),
        Item("24", "flow of participants"),
        Item("25", "characteristics of train, val and test", _baseline),
        Item("26a", "severity among those with the condition"),
        Item("26b", "other diagnoses among those without", _alternatives),
        Item("27", "time between index test and reference standard"),
        Item("28", "whether test data represent the intended population"),
        Item("29", "how an external test set differs", _external),
        Item("30", "cross table of decisions and truth", lambda _: "confusion matrix on the page"),
        Item("31", "accuracy with its precision", CardFacts.headline),
        Item("32", "adverse events"),
        Item("33", "limits: bias, uncertainty, generalisability", _limits),
        Item("34", "what it means for practice", _intended),
        Item("35", "ethics and fairness of use"),
        Item("36", "registration"),
        Item("37", "where the protocol is", _protocol),
        Item("38", "funding"),
        Item("39", "commercial interests"),
        Item("40a", "data and code, and limits of their use", _available),
        Item("40b", "stored outputs that can be audited",
             lambda _: "predictions of every test image, in the run folder"),
    ),
)  # fmt: skip
