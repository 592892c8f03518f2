import dataclasses
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from skinbench import registry
from skinbench.data.diagnoses import AK_CHOICES, AK_DEFAULT, DIAGNOSES, OWN
from skinbench.data.labelling import label_rows
from skinbench.data.taxonomy import (
    LabelRequest,
    check_choice,
    code_of,
    label_space,
    map_labels,
    place_of,
)
from skinbench.errors import DataError, UnknownNameError, UsageError
from skinbench.records import DatasetEntry

ENTRY = registry.datasets.get("csv")
"""An entry that states no mapping of its own."""


def codes(adapter: str, space: object, *labels: str, entry: DatasetEntry = ENTRY) -> list:
    made = space if not isinstance(space, str) else label_space(space)
    found = map_labels(entry, adapter, made, labels)
    return [found.codes[label] for label in labels]


def test_ham7_is_in_alphabetical_order_with_titles() -> None:
    space = label_space("ham7")
    assert space.classes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert space.titles["mel"] == "melanoma"
    assert space.malignant == ("akiec", "bcc", "mel")
    assert space.ak == ""


def test_isic8_has_the_order_of_the_official_ground_truth() -> None:
    assert label_space("isic8").classes == ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc")


def test_binary_spaces_have_the_class_of_interest_last() -> None:
    assert label_space("melanoma").classes == ("rest", "mel")
    space = label_space("malignant", ak="benign")
    assert (space.name, space.ak) == ("malignant,ak=benign", "benign")
    assert (space.classes, space.malignant) == (("benign", "malignant"), ("malignant",))
    assert label_space("malignant").ak == AK_DEFAULT == "excluded"


def test_a_class_of_its_own_is_part_of_the_name() -> None:
    space = label_space("isic8", own=True)
    assert (space.name, space.classes[-2:]) == ("isic8+unk", ("scc", "unk"))
    assert label_space(["a", "b"], own=True).classes == ("a", "b", "unk")


def test_a_list_becomes_codes_and_keeps_its_order_and_words() -> None:
    space = label_space(["Melanoma", "Benign nevus"])
    assert (space.name, space.classes) == ("custom", ("melanoma", "benign_nevus"))
    assert space.titles["benign_nevus"] == "Benign nevus"
    assert space.malignant == ("melanoma",)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ham7'"):
        label_space("ham77")
    with pytest.raises(UsageError, match="'begnin' is no choice; did you mean 'benign'"):
        check_choice("begnin")


@pytest.mark.parametrize("labels", [["mel"], ["mel", "MEL"], [], ["mel", "--"]])
def test_lists_that_are_no_label_space(labels: list[str]) -> None:
    with pytest.raises(UsageError):
        label_space(labels)


def test_code_of() -> None:
    assert code_of(" Basal-cell  Carcinoma! ") == "basal_cell_carcinoma"


# --- the tables ----------------------------------------------------------------------------


def test_every_diagnosis_has_a_class_or_a_reason_in_every_space() -> None:
    for diagnosis, known in DIAGNOSES.items():
        for name in ("isic8", "ham7", "malignant", "melanoma"):
            for ak in AK_CHOICES:
                space = label_space(name, ak=ak)
                place = place_of(diagnosis, space)
                assert place.code in space.classes if place.code else place.reason, diagnosis
        if known.mixed:
            assert place_of(diagnosis, label_space("malignant", ak="benign")).code is None


def test_every_label_is_lower_case_and_a_known_diagnosis() -> None:
    for table in OWN.values():
        for label, own in table.items():
            assert label == label.lower()
            assert own.diagnosis in DIAGNOSES


def test_ham10000() -> None:
    assert codes("ham10000", "ham7", "akiec", "mel", "odd") == ["akiec", "mel", None]
    # isic8 parts what akiec joins: 130 AK and 197 SCC.
    assert codes("ham10000", "isic8", "akiec", "nv") == [None, "nv"]
    assert codes("ham10000", "melanoma", "akiec", "mel", "nv") == ["rest", "mel", "rest"]
    assert codes("ham10000", label_space(["mel", "nv"]), "akiec", "mel") == [None, "mel"]


@pytest.mark.parametrize(
    ("ak", "ham", "isic"),
    [
        ("excluded", [None, "malignant"], [None, "malignant"]),
        ("benign", [None, "malignant"], ["benign", "malignant"]),
        ("malignant", ["malignant", "malignant"], ["malignant", "malignant"]),
    ],
)
def test_ak_is_a_named_choice(ak: str, ham: list, isic: list) -> None:
    space = label_space("malignant", ak=ak)
    assert codes("ham10000", space, "akiec", "bcc") == ham
    assert codes("isic2019", space, "AK", "SCC") == isic
    assert codes("pad_ufes_20", space, "ACK", "SCC") == isic


def test_isic2019() -> None:
    own = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC")
    assert codes("isic2019", "isic8", *own) == [code.lower() for code in own]
    assert codes("isic2019", "ham7", "AK", "SCC", "UNK") == ["akiec", "akiec", None]
    found = map_labels(ENTRY, "isic2019", label_space("ham7"), own)
    assert set(found.approximate) == {"SCC"}


def test_siim_isic2020_unknown_is_benign_and_nothing_else() -> None:
    own = ("unknown", "melanoma", "nevus", "lentigo NOS", "cafe-au-lait macule")
    assert codes("siim_isic2020", "isic8", *own) == [None, "mel", "nv", "bkl", None]
    assert codes("siim_isic2020", "malignant", *own) == ["benign", "malignant", *["benign"] * 3]
    assert codes("siim_isic2020", "melanoma", *own) == ["rest", "mel", *["rest"] * 3]


def test_pad_ufes_20_and_derm7pt() -> None:
    assert codes("pad_ufes_20", "isic8", "ACK", "SEK", "NEV") == ["ak", "bkl", "nv"]
    own = ("reed or spitz nevus", "melanoma (in situ)", "miscellaneous", "melanosis")
    assert codes("derm7pt", "isic8", *own) == ["nv", "mel", None, None]
    assert codes("derm7pt", "malignant", *own) == ["benign", "malignant", None, "benign"]
    assert codes("derm7pt", "melanoma", *own) == ["rest", "mel", "rest", "rest"]


def test_the_entry_of_a_plugin_states_a_space_and_reaches_others_through_it() -> None:
    entry = dataclasses.replace(ENTRY, labels={"isic8": {"Melanom": "mel", "Keratose": "ak"}})
    assert codes("mine", "isic8", "Melanom", "Keratose", entry=entry) == ["mel", "ak"]
    assert codes("mine", "ham7", "Melanom", "Keratose", entry=entry) == ["mel", "akiec"]
    assert codes("mine", "melanoma", "Melanom", "Keratose", entry=entry) == ["mel", "rest"]
    assert codes("mine", "ham7", "Wurst", entry=entry) == [None]


def test_a_table_without_a_mapping_is_taken_by_its_codes() -> None:
    assert codes("csv", "ham7", "MEL", "scc", "odd") == ["mel", "akiec", None]
    assert codes("csv", "melanoma", "mel", "rest", "nv") == ["mel", "rest", "rest"]


def test_unmapped_labels_become_a_class_of_their_own() -> None:
    space = label_space("isic8", own=True)
    assert codes("siim_isic2020", space, "unknown", "nevus") == ["unk", "nv"]
    # What the choice about AK leaves out stays out.
    own = label_space("malignant", own=True)
    assert codes("isic2019", own, "AK", "UNK", "MEL") == [None, "unk", "malignant"]


# --- rows ------------------------------------------------------------------------------------

ROWS = pd.DataFrame(
    {
        "image_id": ["a", "b", "c", "d", "e", "f"],
        "label": ["MEL", "SCC", "SCC", "AK", None, "UNK"],
        "lesion_id": ["L1", "HAM_1", None, "HAM_2", None, None],
    }
).astype(object)


def labelled(space: str, **request: str) -> tuple[list, dict]:
    asked = LabelRequest(space=space, **request)
    made = label_space(space, ak=asked.ak, own=asked.unmapped == "own")
    table, findings = label_rows("d", ROWS, ENTRY, "isic2019", made, asked)
    kept = [f"{i}:{v}" for i, v in zip(table["image_id"], table["label"], strict=True)]
    return kept, {item.kind: item for item in findings}


def test_what_is_approximate_is_counted_without_the_rows_that_are_exact() -> None:
    kept, found = labelled("ham7", unmapped="drop")
    assert kept == ["a:mel", "b:akiec", "c:akiec", "d:akiec", "e:None"]
    assert found["approximate_label"].items == ("c",)
    assert "exact for the 1 whose lesion id begins with HAM_" in found["approximate_label"].message
    assert (found["unmapped_label"].items, found["unmapped_label"].policy) == (
        ("f",),
        "quarantine",
    )
    assert found["unlabelled"].items == ("e",)


def test_unmapped_is_an_error_that_names_label_and_way_out() -> None:
    with pytest.raises(DataError) as caught:
        labelled("ham7")
    assert "(UNK): it is not known what it is: f; set data.d.labels.unmapped" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_unmapped_rows_as_a_class() -> None:
    kept, found = labelled("ham7", unmapped="own")
    assert kept[-1] == "f:unk"
    assert (found["unmapped_label"].policy, found["unmapped_label"].count) == ("keep", 1)


def test_unmapped_rows_without_a_label() -> None:
    kept, found = labelled("ham7", unmapped="unlabelled")
    assert kept[-2:] == ["e:None", "f:None"]
    assert found["unmapped_label"].items == ("f",)
    assert found["unmapped_label"].policy == "keep"
    assert "(UNK 1): in no split, out of distribution" in found["unmapped_label"].message
    assert found["unlabelled"].items == ("e",), "of e no label is known"
    kept, _ = labelled("malignant", unmapped="unlabelled")
    assert "d:None" not in kept, "what the choice about AK leaves out stays out"


def test_excluded_ak_is_a_finding_and_no_unmapped_label() -> None:
    kept, found = labelled("malignant", unmapped="drop")
    assert kept == ["a:malignant", "b:malignant", "c:malignant", "e:None"]
    assert found["excluded_label"].items == ("d",)
    assert "ISIC Archive files actinic keratosis under Indeterminate" in (
        found["excluded_label"].message
    )
    kept, found = labelled("malignant", ak="benign", unmapped="drop")
    assert kept[3] == "d:benign"
    assert "excluded_label" not in found


@pytest.mark.real
@pytest.mark.parametrize(
    ("adapter", "request_", "counts", "findings"),
    [
        (
            "isic2019",
            LabelRequest(space="ham7"),
            {"akiec": 1495, "bcc": 3323, "bkl": 2624, "df": 239, "mel": 4522, "nv": 12875,
             "vasc": 253},
            {"approximate_label": 431},  # 628 SCC less the 197 of HAM10000
        ),
        (
            "isic2019",
            LabelRequest(space="malignant"),
            {"benign": 12875 + 2624 + 239 + 253, "malignant": 4522 + 3323 + 628},
            {"excluded_label": 867},
        ),
        (
            "pad_ufes_20",
            LabelRequest(space="malignant", ak="benign"),
            {"benign": 1209, "malignant": 1089},
            {"approximate_label": 730},  # AK, by the suite's choice
        ),
        (
            "pad_ufes_20",
            LabelRequest(space="isic8"),
            {"ak": 730, "bcc": 845, "bkl": 235, "mel": 52, "nv": 244, "scc": 192},
            {},
        ),
        (
            "siim_isic2020",
            LabelRequest(space="malignant"),
            {"benign": 32542, "malignant": 584},
            {"approximate_label": 1},  # the atypical melanocytic proliferation
        ),
        (
            "siim_isic2020",
            LabelRequest(space="isic8", unmapped="drop"),
            {"bkl": 44 + 37 + 135 + 7, "mel": 584, "nv": 5193},
            {"unmapped_label": 27124 + 2, "approximate_label": 44},
        ),
        (
            "ham10000",
            LabelRequest(space="malignant"),
            {"benign": 6705 + 1099 + 115 + 142, "malignant": 1113 + 514},
            {"excluded_label": 327},
        ),
    ],
)  # fmt: skip
def test_the_real_tables(adapter, request_, counts, findings) -> None:
    root = Path(os.environ.get("SKINBENCH_DATA", "/nowhere")) / adapter
    if not root.is_dir():
        pytest.skip(f"SKINBENCH_DATA with {adapter}/ is not there")
    entry = registry.datasets.get(adapter)
    raw = entry.read(root, {}).table.reset_index(drop=True)
    space = label_space(request_.space, ak=request_.ak)
    table, found = label_rows(adapter, raw, entry, adapter, space, request_)
    assert Counter(table["label"]) == counts
    assert {item.kind: item.count for item in found} == findings
