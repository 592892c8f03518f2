"""The column probe: on tables whose answer is known, and on the real ones."""

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skinbench.data.manifest import DataRequest
from skinbench.data.probe import THRESHOLDS, probe_columns, probe_dataset
from skinbench.data.taxonomy import LabelRequest
from skinbench.records import ProbeFinding
from skinbench.store import Store

N = 1000


def table(**columns: list) -> pd.DataFrame:
    """1,000 rows, two a lesion; every fifth lesion is mel. Other columns go to `attributes`."""
    own = {"age", "sex", "site", "dx_type", "label"}
    made = pd.DataFrame(
        {
            "image_id": [f"i{i:04d}" for i in range(N)],
            "label": ["mel" if i // 2 % 5 == 0 else "nv" for i in range(N)],
            "lesion_id": [f"L{i // 2}" for i in range(N)],
        }
    ).astype(object)
    for name in own & columns.keys():
        made[name] = pd.Series(columns[name], dtype=object)
    others = {name: values for name, values in columns.items() if name not in own}
    made["attributes"] = [
        json.dumps({name: v[i] for name, v in others.items() if v[i] is not None}) for i in range(N)
    ]
    return made


MEL = np.array([i // 2 % 5 == 0 for i in range(N)])


def by_column(findings: tuple[ProbeFinding, ...]) -> dict[tuple[str, str], ProbeFinding]:
    return {(item.column, item.what): item for item in findings}


def test_a_column_that_is_the_answer() -> None:
    found = by_column(probe_columns(table(done=["yes" if m else "no" for m in MEL]), "d"))
    finding = found["done", "value"]
    assert (finding.auroc, finding.balanced_accuracy, finding.suspicious) == (1.0, 1.0, True)
    assert ("done", "missing") not in found
    assert finding.per_class == {"mel": (0, 200), "nv": (800, 800)}
    assert finding.value == "no"
    assert finding.message.startswith("done is 'no' for 0 of 200 mel, 800 of 800 nv: alone gives")


def test_a_column_whose_gaps_are_the_answer_and_whose_values_are_not() -> None:
    rng = np.random.default_rng(0)
    values = [None if not m and i % 4 else str(rng.integers(2)) for i, m in enumerate(MEL)]
    found = by_column(probe_columns(table(asked=values)))
    gaps, value = found["asked", "missing"], found["asked", "value"]
    # Every mel has a value; of the 800 nv, 600 have none: (1 + 0.75) / 2.
    assert gaps.per_class == {"mel": (0, 200), "nv": (600, 800)}
    assert gaps.auroc == pytest.approx(0.875, abs=1e-9)
    assert gaps.balanced_accuracy == pytest.approx(0.875, abs=1e-9)
    assert gaps.suspicious
    assert (value.rows, value.suspicious) == (400, False)


def test_noise_is_not_suspicious_and_a_lesion_is_not_recognised() -> None:
    rng = np.random.default_rng(1)
    per_lesion = np.repeat(rng.permutation(N // 2), 2)
    gaps = rng.random(N) < 0.3
    noise = [None if gap else f"{v:.3f}" for gap, v in zip(gaps, rng.normal(size=N), strict=True)]
    found = probe_columns(table(serial=[str(v) for v in per_lesion], noise=noise))
    for finding in found:
        assert finding.auroc is not None
        assert abs(finding.auroc - 0.5) < 0.08, finding
        assert not finding.suspicious


def test_numbers_are_split_where_they_tell() -> None:
    ages = [40.0 if m else (20.0 if i % 2 else 60.0) for i, m in enumerate(MEL)]
    finding = by_column(probe_columns(table(age=ages)))["age", "value"]
    assert finding.auroc == 1.0  # mel is in the middle: no line parts it, a tree does
    assert "as a number" in finding.message
    assert finding.per_class == {}


def test_columns_that_are_never_inputs_say_why() -> None:
    found = by_column(probe_columns(table(dx_type=["histo" if m else "follow_up" for m in MEL])))
    assert "follow-up is always a nevus" in found["dx_type", "value"].refused
    assert by_column(probe_columns(table(age=[50.0, 60.0] * 500)))["age", "value"].refused == ""


def test_what_cannot_be_probed() -> None:
    assert probe_columns(table().assign(label="mel")) == ()
    found = by_column(probe_columns(table(same=["x"] * N)))
    assert found["same", "value"].auroc is None
    assert not found["same", "value"].suspicious
    assert probe_columns(table().iloc[:0]) == ()


def test_the_order_of_rows_changes_nothing() -> None:
    made = table(done=["yes" if m else "no" for m in MEL], age=list(np.arange(N) % 90 * 1.0))
    assert probe_columns(made) == probe_columns(made.iloc[::-1].reset_index(drop=True))


# --- the real tables -------------------------------------------------------------------------


def probed(adapter: str, tmp_path: Path, **labels: str) -> dict[tuple[str, str], ProbeFinding]:
    root = Path(os.environ.get("SKINBENCH_DATA", "/nowhere")) / adapter
    if not root.is_dir():
        pytest.skip(f"SKINBENCH_DATA with {adapter}/ is not there")
    request = DataRequest(name=adapter, adapter=adapter, root=root, labels=LabelRequest(**labels))
    return by_column(probe_dataset(request, Store(tmp_path)))


@pytest.mark.real
def test_pad_ufes_20(tmp_path: Path) -> None:
    """2,298 rows, of which 137 have an image here."""
    found = probed("pad_ufes_20", tmp_path, space="malignant", ak="benign")
    gender = found["sex", "missing"]
    assert gender.per_class == {"benign": (804, 1209), "malignant": (0, 1089)}
    assert gender.suspicious
    assert gender.auroc == pytest.approx(0.833, abs=0.005)
    biopsed = found["biopsed", "value"]
    assert biopsed.per_class == {"benign": (253, 1209), "malignant": (1089, 1089)}
    assert (biopsed.value, biopsed.suspicious) == ("True", True)
    assert "every cancer was biopsied" in biopsed.refused
    honest = {key[0] for key, item in found.items() if key[1] == "value" and not item.suspicious}
    assert {"age", "sex", "site", "itch", "grew", "bleed"} <= honest
    six = probed("pad_ufes_20", tmp_path, space="isic8")
    assert six["biopsed", "value"].suspicious
    assert six["sex", "missing"].suspicious


@pytest.mark.real
@pytest.mark.parametrize("space", ["ham7", "melanoma"])
def test_ham10000(tmp_path: Path, space: str) -> None:
    found = probed("ham10000", tmp_path, space=space)
    assert {key for key, item in found.items() if item.suspicious} == {("dx_type", "value")}
    best = max(item.auroc or 0 for key, item in found.items() if key[0] in ("age", "sex", "site"))
    assert best < THRESHOLDS["value"] - 0.03


@pytest.mark.real
def test_isic_2019_and_2020(tmp_path: Path) -> None:
    found = probed("isic2019", tmp_path, space="isic8")
    assert not [key for key, item in found.items() if item.suspicious]
    found = probed("siim_isic2020", tmp_path, space="melanoma")
    assert {key[0] for key, item in found.items() if item.suspicious} == {
        "benign_malignant",
        "target",
    }
