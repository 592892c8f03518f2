# ruff: noqa: E501
"""A whole plausible run folder made from records: nothing in it was measured."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from skinbench.records import (
    MANIFEST_SCHEMA,
    SPLIT_SCHEMA,
    Answer,
    AuditFinding,
    AuditReport,
    Case,
    CaseFile,
    CaseRule,
    CaseSet,
    Cell,
    CellOutcome,
    CheckResult,
    ClaimResult,
    CleaningFinding,
    Comparison,
    Confusion,
    DatasetInfo,
    DatasetRanks,
    EpochRecord,
    Evaluation,
    Exclusion,
    Family,
    FitRecord,
    LabelSpace,
    MeanRank,
    Paper,
    Plan,
    Recognition,
    Row,
    Score,
    Scorecard,
    Standing,
    Verdict,
)
from skinbench.store import RunFolder, file_name, to_plain, write_json, write_text

CLASSES = ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
TITLES = dict(
    zip(
        CLASSES,
        (
            "actinic keratosis / Bowen's disease",
            "basal cell carcinoma",
            "benign keratosis-like lesion",
            "dermatofibroma",
            "melanoma",
            "melanocytic nevus",
            "vascular lesion",
        ),
        strict=True,
    )
)
SHARES = (0.033, 0.051, 0.110, 0.011, 0.111, 0.670, 0.014)
SKILL = {"majority": 0.0, "metadata": 0.12, "nearest": 0.2}


@dataclass(frozen=True, kw_only=True)
class Wish:
    """What the fabricated run should be like."""

    synthetic: bool = True
    images: int = 600
    rows: int = 8
    cases: int = 8
    """Cases, each shown for the first two networks' rows."""
    hostile: str = ""
    """Text put into every name that a user or a dataset can choose."""
    focus: bool = True
    """The label space has a class `mel`."""
    picture_size: int = 64


def make_run(root: Path, wish: Wish | None = None) -> RunFolder:
    """Write the run folder; the same wish gives the same bytes."""
    wish = wish or Wish()
    folder = RunFolder(root)
    rng = np.random.default_rng(7)
    classes = CLASSES if wish.focus else tuple(c for c in CLASSES if c != "mel")
    rows = _rows(wish, classes)
    cells = _cells(rows)
    manifest = _manifest(wish, classes, rng)
    _write_data(folder, wish, classes, manifest)
    test = int((_split(manifest, "by_lesion")["split"] == "test").sum())
    scores, confusions = _scores(rows, cells, classes, test, rng)
    scorecard = Scorecard(
        suite=f"quickstart{wish.hostile}",
        level=0.95,
        replicates=2000,
        datasets={"lesions": "d" * 32},
        splits={"by_lesion": "1" * 32, "by_image": "2" * 32},
        rows=tuple(to_plain(row) for row in rows),
        cells=cells,
        scores=scores,
        confusions=confusions,
        comparisons=_comparisons(wish) if wish.rows >= 5 else (),
        claims=_claims(wish) if wish.rows >= 5 else (),
        papers=_papers(wish) if wish.rows >= 5 else {},
        smoke=_smoke(wish, rows),
        families=_families(rows, classes),
        dataset_ranks=_dataset_ranks(rows) if wish.rows >= 5 else (),
        stamps={
            "by_image": "leaky split: 38.8 % of test images have an image of the same lesion in train"
        },
    )
    write_json(folder.scorecard, scorecard)
    write_json(folder.plan, _plan(rows, cells))
    write_json(folder.audit, _audit(wish))
    write_json(folder.verdict, _verdict(wish))
    _write_fits(folder, rows, cells, rng)
    _write_cases(folder, rows, wish, classes, manifest)
    _write_run(folder, wish)
    write_text(
        folder.suite, f"name: quickstart{wish.hostile}\ndata:\n  lesions: {{adapter: synthetic}}\n"
    )
    return folder


def _reduced(wish: Wish) -> dict[str, str]:
    name = f"techniques/mobilenetv2_100,class_weights,image{wish.hostile}"
    return {name: "epochs 2 instead of 30"} if wish.rows > 8 else {}


def _smoke(wish: Wish, rows: Sequence[Row]) -> dict[str, str]:
    """One network's row of a large run."""
    named = [row.name for row in rows if "class_weights,image" in row.name]
    return dict.fromkeys(named, f"2 epochs, fewer than 3{wish.hostile}")


def _rows(wish: Wish, classes: Sequence[str]) -> list[Row]:
    made = [
        ("plain/majority", "plain", "majority", "", "", "by_lesion"),
        ("plain/metadata", "plain", "metadata", "", "", "by_lesion"),
        ("plain/nearest", "plain", "nearest", "", "", "by_lesion"),
        ("baseline_cnn", "fit", "baseline_cnn", "image", "none", "by_lesion"),
        ("p1/multimodal", "fit", "mobilenetv2_100", "fusion_p1", "class_weights", "by_image"),
    ]
    for technique in ("none", "class_weights", "oversampling", "focal"):
        for kind in ("image", "fusion_concat"):
            name = f"techniques/mobilenetv2_100,{technique},{kind}"
            made.append((name, "fit", "mobilenetv2_100", kind, technique, "by_lesion"))
    while len(made) < wish.rows:
        made.append((f"more/{len(made)}", "fit", "resnet50", "image", "none", "by_lesion"))
    return [
        Row(
            name=name + wish.hostile,
            kind=kind,  # type: ignore[arg-type]
            model=model,
            input=input_,
            technique=technique,
            split=split,
            label_space="ham7",
            classes=tuple(classes),
        )
        for name, kind, model, input_, technique, split in made[: wish.rows]
    ]


def _seeds(row: Row) -> tuple[int, ...]:
    return (0, 1) if row.name.startswith("baseline_cnn") else (0,)


def _status(row: Row) -> tuple[str, str]:
    if "focal,image" in row.name:
        return "failed", "OutOfMemoryError: 1.2 GB of 1.0 GB | `wanted`"
    if "focal,fusion" in row.name:
        return "blocked", "needs fit f9, which failed"
    return "done", ""


def _cells(rows: Sequence[Row]) -> tuple[CellOutcome, ...]:
    found = []
    for index, row in enumerate(rows):
        if "oversampling,fusion" in row.name:
            continue  # a row that is in the suite and was never run
        status, reason = _status(row)
        for seed in _seeds(row):
            fit = f"fit{index:03d}{seed}" if row.kind == "fit" else None
            cell = Cell(row=row.name, fold=0, seed=seed, fit=fit)
            found.append(
                CellOutcome(
                    cell=cell.name, row=row.name, fold=0, seed=seed, fit=fit,
                    status=status, reason=reason,  # type: ignore[arg-type]
                )
            )  # fmt: skip
    return tuple(found)


def _families(rows: Sequence[Row], classes: Sequence[str]) -> tuple[Family, ...]:
    """The first table's rows against the third, by two metrics."""
    own = [row.name for row in rows if row.split == "by_lesion"][:5]
    verdicts = ("worse", "not separable", "reference", "better", "not compared")
    standings = tuple(
        Standing(row=name, value=0.5 + index / 20, verdict="reference")
        if verdict == "reference"
        else Standing(
            row=name,
            value=0.5 + index / 20,
            difference=0.05 * (index - 2),
            low=0.05 * (index - 2) - 0.06,
            high=0.05 * (index - 2) + 0.06,
            test="sign flips by lesion",
            p=0.3 if index == 1 else 0.004,
            p_adjusted=0.3 if index == 1 else 0.008,
            verdict=verdict,
            rank_low=1,
            rank_high=index + 1,
        )
        if verdict != "not compared"
        else Standing(row=name, value=None, verdict=verdict, reason="undefined")
        for index, (name, verdict) in enumerate(zip(own, verdicts, strict=False))
    )
    if len(own) < 3:
        return ()
    metrics = [("balanced_accuracy", None), *([("recall", "mel")] if "mel" in classes else [])]
    return tuple(
        Family(
            dataset="lesions",
            split="by_lesion",
            condition="none",
            metric=metric,
            class_=class_,
            reference=own[2],
            chosen="best on val by balanced accuracy",
            correction="Holm",
            compared=2,
            standings=standings,
        )
        for metric, class_ in metrics
    )


def _dataset_ranks(rows: Sequence[Row]) -> tuple[DatasetRanks, ...]:
    ranks = (1.4, 2.0, 3.2, 3.4)
    return (
        DatasetRanks(
            metric="balanced_accuracy", class_=None, datasets=("a", "b", "c", "d", "e"), level=0.95,
            ranks=tuple(MeanRank(row=row.name, rank=rank) for row, rank in zip(rows, ranks, strict=False)),
            statistic=8.28, p=0.041, critical_difference=2.1,
        ),
    )  # fmt: skip


def _scores(rows, cells, classes, test, rng):
    scores: list[Score] = []
    confusions: list[Confusion] = []
    for row in rows:
        own = [cell for cell in cells if cell.row == row.name]
        if not own:
            continue
        skill = SKILL.get(row.model, 0.45 + 0.25 * rng.random())
        if own[0].status != "done":
            scores += _undone(row, own[0], classes)
            continue
        per_seed = []
        for cell in own:
            counts = _confusion(classes, test, skill, rng)
            confusions.append(
                Confusion(
                    row=row.name, dataset="lesions", condition="none", seed=cell.seed,
                    counts=tuple(map(tuple, counts.tolist())),
                )
            )  # fmt: skip
            per_seed.append(_measures(classes, counts, skill))
            scores += _as_scores(row, per_seed[-1], counts, cell.seed, None)
        mean = {
            key: None if value is None else float(np.mean([one[key] for one in per_seed]))
            for key, value in per_seed[0].items()
        }
        spread = 0.0125 if len(own) > 1 else None
        scores += _as_scores(row, mean, counts, None, spread)
    return tuple(scores), tuple(confusions)


def _undone(row: Row, cell: CellOutcome, classes: Sequence[str]) -> list[Score]:
    reason = f"cell {cell.cell} {cell.status}: {cell.reason}"
    keys = [(m, None) for m in ("accuracy", "balanced_accuracy", "macro_f1", "macro_auroc")]
    keys += [(m, c) for m in ("recall", "specificity", "precision") for c in classes]
    return [
        Score(row=row.name, metric=m, class_=c, value=None, n=0, dataset="lesions", reason=reason)
        for m, c in keys
    ]


def _confusion(classes, test, skill, rng):
    shares = np.array([SHARES[CLASSES.index(code)] for code in classes])
    support = np.maximum(1, np.round(shares / shares.sum() * test)).astype(int)
    nevus = classes.index("nv")
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    for true, n in enumerate(support):
        chance = np.full(len(classes), 0.3 * (1 - skill) / len(classes))
        chance[nevus] += 0.7 * (1 - skill)
        chance[true] += skill
        if skill == 0.0:
            chance = np.eye(len(classes))[nevus]
        counts[true] = rng.multinomial(n, chance / chance.sum())
    return counts


def _measures(classes, counts, skill):
    total, right = counts.sum(), np.trace(counts)
    found: dict[tuple[str, str | None], float | None] = {}
    recalls, f1s = [], []
    for i, code in enumerate(classes):
        positive, decided, hit = counts[i].sum(), counts[:, i].sum(), counts[i, i]
        recall = hit / positive
        precision = None if decided == 0 else hit / decided
        f1 = 2 * hit / (positive + decided)
        found["recall", code] = recall
        found["specificity", code] = (total - positive - decided + hit) / (total - positive)
        found["precision", code] = precision
        found["f1", code] = f1
        found["auroc", code] = min(0.99, 0.5 + 0.7 * skill)
        recalls.append(recall)
        f1s.append(f1)
    found["accuracy", None] = right / total
    found["balanced_accuracy", None] = float(np.mean(recalls))
    found["macro_f1", None] = float(np.mean(f1s))
    found["macro_auroc", None] = min(0.99, 0.5 + 0.7 * skill)
    found["log_loss", None] = 1.2 - skill
    return found


def _as_scores(row, values, counts, seed, spread):
    found = []
    n = int(counts.sum())
    for (metric, code), value in values.items():
        positive = None if code is None else int(counts[row.classes.index(code)].sum())
        size = n if positive is None or metric == "specificity" else max(positive, 1)
        half = None if value is None else 1.96 * np.sqrt(max(value * (1 - value), 0.002) / size)
        found.append(
            Score(
                row=row.name,
                metric=metric,
                class_=code,
                value=value,
                low=None if value is None else float(max(0.0, value - half)),
                high=None if value is None else float(value + half if metric == "log_loss" else min(1.0, value + half)),
                n=n,
                n_positive=positive,
                n_groups=n - 20,
                dataset="lesions",
                seed=seed,
                sd_seeds=None if value is None else spread,
                reason="no image was decided as this class" if value is None else "",
            )
        )  # fmt: skip
    return found


def _claims(wish: Wish) -> tuple[ClaimResult, ...]:
    row = f"p1/multimodal{wish.hostile}"
    own = {
        "row": row,
        "paper": "p1",
        "differences": (
            f"split by lesion; the source split by image{wish.hostile}",
            "first weights from a file",
        ),
    }
    return (
        ClaimResult(**own, metric="accuracy", class_=None, claimed=0.81, printed="0.81", source=f"Table 2{wish.hostile}", measured=0.744, measured_low=0.72, measured_high=0.77, difference=-0.066, low=-0.10, high=-0.03, verdict="contradictory", beside="lower", reason=f"0.81 in Table 2, 0.85 in Figure 4{wish.hostile}"),
        ClaimResult(**own, metric="recall", class_="mel", claimed=0.60, printed="0.60", source="abstract", measured=0.58, difference=-0.02, low=-0.11, high=0.06, verdict="cannot tell", beside="cannot tell"),
        ClaimResult(**own, metric="accuracy", class_=None, claimed=0.96, printed="0.96 ± 0.25", source="Figure 4", measured=None, verdict="impossible", beside="not run", reason="0.96 ± 0.25 exceeds the most"),
        ClaimResult(row="baseline_cnn", metric="accuracy", class_=None, claimed=0.7, source="Table 1", measured=0.7, difference=0.0, low=-0.02, high=0.02, verdict="reproduced"),
    )  # fmt: skip


def _papers(wish: Wish) -> dict[str, Paper]:
    notes = (f"Table 1 has 67 % nevi, the limitations 67 % non-nevi{wish.hostile}",)
    title = f"Doe 2026, a multimodal network{wish.hostile}"
    return {"p1": Paper(title=title, citation=f"Doe et al.{wish.hostile}", notes=notes)}


def _comparisons(wish: Wish) -> tuple[Comparison, ...]:
    pair = {
        "name": f"leak gap{wish.hostile}",
        "row": f"p1/multimodal{wish.hostile}",
        "against": "g/none",
    }
    return (
        Comparison(**pair, metric="accuracy", difference=0.031, low=0.012, high=0.05, paired=True, n=120, n_groups=90, seeds=3, sd_seeds=0.01, test="sign flips by lesion", p=0.0004, p_holm=0.0012, family="compare", compared=3),
        Comparison(**pair, metric="recall", class_="mel", difference=0.02, low=-0.04, high=0.08, paired=True, n=120, n_positive=13, n_groups=12, seeds=3, sd_seeds=0.02, test="sign flips by lesion", p=0.31, p_holm=0.62, family="compare", compared=2),
        Comparison(**pair, metric="specificity", class_="mel", difference=None, n=0, reason="cell g/none@0.0 failed: out of memory"),
    )  # fmt: skip


def _plan(rows: Sequence[Row], cells: Sequence[CellOutcome]) -> Plan:
    planned = tuple(Cell(row=c.row, fold=c.fold, seed=c.seed, fit=c.fit) for c in cells)
    return Plan(
        suite="quickstart",
        rows=tuple(rows),
        cells=planned,
        derived=(),
        fits={},
        evaluations=tuple(
            Evaluation(cell=c.name, dataset="lesions", split="by_lesion", condition="none")
            for c in planned
        ),
        nodes=(),
        exclusions=(
            Exclusion(row="techniques/resnet50,focal,image", reason="excluded by the grid"),
        ),
    )


def _audit(wish: Wish) -> AuditReport:
    return AuditReport(
        findings=(
            AuditFinding(
                split="by_image", fold=0, kind="lesion_id", left="train", right="test",
                count=46, total=120, per_class={"mel": (9, 13), "nv": (24, 80)},
                examples=(f"img_0001{wish.hostile}",), partners=(f"img_0002{wish.hostile}",),
            ),
            AuditFinding(
                split="by_lesion", fold=0, kind="near_duplicate", left="train", right="test",
                count=1, total=120, per_class={"mel": (0, 13), "nv": (1, 80)},
                examples=("img_0003",), partners=("img_0004",), advisory=True,
            ),
        ),
        recognition=(
            Recognition(
                split="by_lesion", fold=0, right=78, total=120,
                per_class={"mel": (2, 13), "nv": (70, 80), "df": (0, 0)},
            ),
        ),
        looked_for=("shared image ids", "shared lesions", "identical files"),
        not_looked_for=("near-duplicates: audit.near_duplicates is off", "patients: lesions names none"),
        policies={"by_image": "keep", "by_lesion": "error"},
    )  # fmt: skip


def _verdict(wish: Wish) -> Verdict:
    name = f"baseline_cnn{wish.hostile}"
    return Verdict(
        outcome="inconclusive",
        exit_code=4,
        decision_rule="argmax",
        notes=("13 melanomas allow no finer verdict",),
        checks=(
            CheckResult(row=name, metric="recall", class_="mel", slice=None, outcome="inconclusive", margin=0.05, baseline=0.6, candidate=0.54, difference=-0.06, low=-0.2, high=0.08, n=120, n_positive=13, reason="the interval holds both 0 and the margin"),
            CheckResult(row=name, metric="specificity", class_="mel", slice=None, outcome="passed", margin=0.03, baseline=0.9, candidate=0.91, difference=0.01, low=-0.01, high=0.03, n=120, n_positive=13, reason="the lower bound is above -0.03"),
            CheckResult(row="gone", metric="recall", class_="mel", slice=None, outcome="missing", margin=0.05, reason="the run has no such row"),
        ),
    )  # fmt: skip


# --- files -----------------------------------------------------------------------------------


def _manifest(wish: Wish, classes, rng) -> pd.DataFrame:
    shares = np.array([SHARES[CLASSES.index(code)] for code in classes])
    labels = rng.choice(classes, size=wish.images, p=shares / shares.sum())
    groups = np.sort(rng.integers(0, max(1, wish.images * 3 // 4), wish.images))
    frame = pd.DataFrame({"image_id": [f"img_{i:04d}{wish.hostile}" for i in range(wish.images)]})
    frame["path"] = [f"images/{i:04d}.png" for i in range(wish.images)]
    frame["label"] = labels
    frame["group_id"] = [f"les_{g:04d}" for g in groups]
    frame["lesion_id"] = frame["group_id"]
    for name in (
        "patient_id",
        "site",
        "site_general",
        "sex",
        "source",
        "dx_type",
        "attributes",
        "mask_path",
    ):
        frame[name] = None
    frame["age"] = 55.0
    frame["file_digest"] = frame["pixel_digest"] = [f"{i:064x}" for i in range(wish.images)]
    frame["width"], frame["height"] = 96, 96
    return frame


def _split(manifest: pd.DataFrame, name: str) -> pd.DataFrame:
    codes = manifest["group_id"].str[-4:].astype(int) if name == "by_lesion" else manifest.index
    part = np.select(
        [np.asarray(codes) % 10 < 2, np.asarray(codes) % 10 == 2], ["test", "val"], "train"
    )
    return pd.DataFrame(
        {"image_id": manifest["image_id"], "dataset": "lesions", "fold": 0, "split": part, "copies": 1}
    )  # fmt: skip


def _write_data(folder: RunFolder, wish: Wish, classes, manifest: pd.DataFrame) -> None:
    folder.manifests.mkdir(parents=True, exist_ok=True)
    folder.splits.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(manifest, schema=MANIFEST_SCHEMA, preserve_index=False)
    pq.write_table(table, folder.manifest("lesions"))
    info = DatasetInfo(
        title=f"Synthetic lesions{wish.hostile}" if wish.synthetic else f"HAM10000{wish.hostile}",
        licence="CC0-1.0" if wish.synthetic else "CC BY-NC 4.0",
        citation="skinbench contributors, 2026" + wish.hostile,
        homepage="https://example.org/lesions",
        attribution="Drawn by skinbench" + wish.hostile,
        synthetic=wish.synthetic,
        expected_images=None if wish.synthetic else 10015,
    )
    space = LabelSpace(
        name="ham7",
        classes=tuple(classes),
        titles={c: TITLES[c] for c in classes},
        malignant=("mel", "bcc", "akiec"),
    )
    finding = CleaningFinding(
        kind="unreadable",
        policy="quarantine",
        count=3,
        message="3 files do not decode as images; set aside",
        items=tuple(f"img_9{i}{wish.hostile}" for i in range(3)),
    )
    write_json(
        folder.manifest("lesions").with_suffix(".json"),
        {
            "name": "lesions",
            "adapter": "synthetic" if wish.synthetic else "ham10000",
            "info": info,
            "label_space": space,
            "findings": [finding],
            "digest": "d" * 32,
        },
    )
    for name in ("by_lesion", "by_image"):
        table = pa.Table.from_pandas(
            _split(manifest, name), schema=SPLIT_SCHEMA, preserve_index=False
        )
        pq.write_table(table, folder.split(name))
        facts = {
            "name": name,
            "group": name.removeprefix("by_"),
            "folds": 1,
            "digest": "x",
            "notes": [],
        }
        write_json(folder.split(name).with_suffix(".json"), facts)


def _write_fits(folder: RunFolder, rows, cells, rng) -> None:
    for cell in cells:
        if cell.fit is None:
            continue
        epochs = []
        for epoch in range(1, 13):
            loss = 1.6 * np.exp(-epoch / 5) + 0.5 + 0.03 * rng.random()
            epochs.append(
                EpochRecord(
                    epoch=epoch, train_loss=float(loss), val_log_loss=float(loss + 0.012 * epoch),
                    val_accuracy=float(0.86 - 0.3 * np.exp(-epoch / 4)),
                    val_balanced_accuracy=float(0.66 - 0.4 * np.exp(-epoch / 4)),
                    learning_rate=1e-3, seconds=2.5, images=420,
                )
            )  # fmt: skip
        done = cell.status == "done"
        record = FitRecord(
            fit_id=cell.fit,
            status=cell.status,
            best_epoch=10 if done else None,
            history=tuple(epochs) if done else (),
            parameters=2_232_583,
            trainable_parameters=8_967,
            seconds=31.2,
            error=cell.reason,
            traceback='Traceback (most recent call last):\n  File "fit.py", line 3\nOutOfMemoryError: ```no```'
            if cell.status == "failed"
            else "",
        )
        write_json(folder.fit(cell.fit), {"spec": {}, "record": record})


def _picture(size: int, seed: int, heat: bool) -> bytes:
    y, x = np.mgrid[0:size, 0:size] / size - 0.5
    rng = np.random.default_rng(seed)
    dx, dy = rng.uniform(-0.1, 0.1, 2)
    blob = np.exp(-(((x - dx) ** 2 + (y - dy) ** 2) / (0.02 + 0.03 * rng.random())))
    if heat:
        colour = np.stack([255 * blob, 90 + 120 * blob * (1 - blob) * 4, 160 * (1 - blob)], axis=-1)
    else:
        skin, lesion = np.array([226, 178, 155]), np.array([96, 58, 44])
        colour = (
            skin + (lesion - skin) * (blob > 0.45)[..., None] + rng.normal(0, 5, (size, size, 1))
        )
    buffer = io.BytesIO()
    image = Image.fromarray(np.clip(colour, 0, 255).astype(np.uint8))
    image.save(buffer, "PNG" if heat else "JPEG")
    return buffer.getvalue()


def _write_cases(folder: RunFolder, rows, wish: Wish, classes, manifest) -> None:
    """Cases of the first two networks' rows: half of them missed by the first, all by the second."""
    folder.thumbnails.mkdir(parents=True, exist_ok=True)
    folder.heatmaps.mkdir(parents=True, exist_ok=True)
    focus = "mel" if wish.focus else "bcc"
    shown = [r.name for r in rows if r.kind == "fit"][:2]
    if not shown:
        return
    missed, kept = f"{focus} called nv, most confident first", f"{focus} recognised"
    half = wish.cases // 2
    cases = []
    for index in range(wish.cases):
        image_id = str(manifest["image_id"][index])
        thumbnail = f"{file_name(image_id)}.jpg"
        (folder.thumbnails / thumbnail).write_bytes(_picture(wish.picture_size, index, heat=False))
        cases.append(
            Case(
                image_id=image_id,
                dataset="lesions",
                group_id=str(manifest["group_id"][index]),
                label=focus,
                rule=missed if index < half else kept,
                row=shown[0],
                thumbnail=thumbnail,
                outline=((250, 250, 750, 250, 750, 750, 250, 750),) if index % 2 else (),
                answers=tuple(
                    _answer(folder, wish, row, index, focus, wrong=place == 1 or index < half)
                    for place, row in enumerate(shown)
                ),
            )
        )
    every = tuple(range(wish.cases))
    rules = [
        CaseRule(text=missed, row=shown[0], images=57, groups=41, shown=every[:half]),
        CaseRule(text=kept, row=shown[0], images=9, groups=8, shown=every[half:]),
    ]
    if len(shown) > 1:
        rules.append(CaseRule(text=missed, row=shown[1], images=66, groups=49, shown=every))
        rules.insert(0, CaseRule(text="models disagree", images=30, groups=29, shown=every[half:]))
    one = CaseSet(
        split="by_lesion", dataset="lesions", rows=tuple(shown), images=120,
        rules=tuple(rules), cases=tuple(cases),
    )  # fmt: skip
    write_json(folder.cases, CaseFile(method="gradcam", sets=(one,)))


def _answer(folder: RunFolder, wish: Wish, row: str, index: int, focus: str, *, wrong: bool):
    stem = f"{file_name(row)}@{index}" if index != 1 else ""  # one network shows no heat
    names = [stem and f"{stem}.png", stem and f"{stem}.overlay.png"]
    names += (
        [stem and f"{stem}+{focus}{end}" for end in (".png", ".overlay.png")] if wrong else ["", ""]
    )
    for place, name in enumerate(names):
        if name:
            picture = _picture(wish.picture_size, 1000 * place + index, heat=True)
            (folder.heatmaps / name).write_bytes(picture)
    return Answer(
        row=row,
        decided="nv" if wrong else focus,
        probability=max(0.34, 0.93 - 0.04 * index),
        probability_of_label=0.05 if wrong else max(0.34, 0.93 - 0.04 * index),
        heat=names[0], overlay=names[1], heat_of_label=names[2], overlay_of_label=names[3],
        flags=("corners",) if index % 3 == 2 else (),
    )  # fmt: skip


def _write_run(folder: RunFolder, wish: Wish) -> None:
    write_json(
        folder.run,
        {
            "schema": 1,
            "suite": "quickstart",
            "version": "0.1.0",
            "command": f"skinbench run suites/quickstart.yaml{wish.hostile}",
            "continue": "skinbench run suites/quickstart.yaml",
            "started": "2026-11-21T10:00:00Z",
            "seconds": 71.24,
            "stages": [
                {"name": "manifests", "seconds": 1.21, "detail": f"{wish.images} images"},
                {"name": "fits", "seconds": 54.0, "detail": "8 fits"},
                {"name": "scores", "seconds": 2.0, "detail": ""},
            ],
            "environment": {
                "python": "3.11.7",
                "platform": "Linux-6.1-x86_64",
                "cores": 2,
                "memory_bytes": 25_000_000_000,
                "gpus": [],
                "packages": {"torch": "2.15.0", "ray": "2.60.0", "timm": "1.0.31"},
            },
            "engine": {"name": "process", "rule": "one node and 600 images: one process is faster"},
            "reduced": _reduced(wish),
            "notes": ["near-duplicates were not looked for: audit.near_duplicates is off"],
        },
    )
