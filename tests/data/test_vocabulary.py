import dataclasses
import os
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from skinbench import registry
from skinbench.data.fields import check_fields_of
from skinbench.data.vocabulary import GENERAL_SITES, PARENTS, SITES, general_site, with_parents
from skinbench.errors import UsageError
from skinbench.records import Manifest
from tests.data.made import manifest_of

HAM = [
    "abdomen", "acral", "back", "chest", "ear", "face", "foot", "genital", "hand",
    "lower extremity", "neck", "scalp", "trunk", "unknown", "upper extremity",
]  # fmt: skip


def test_the_fifteen_localizations_of_ham10000() -> None:
    assert [general_site("ham10000", site) for site in HAM] == [
        "anterior torso", "palms/soles", "posterior torso", "anterior torso", "head/neck",
        "head/neck", "lower extremity", "oral/genital", "upper extremity", "lower extremity",
        "head/neck", "head/neck", "torso", None, "upper extremity",
    ]  # fmt: skip


def test_every_word_leads_to_a_general_site() -> None:
    for words in SITES.values():
        assert set(words.values()) <= set(GENERAL_SITES)
        assert all(word == word.lower() for word in words)
    assert set(PARENTS) | set(PARENTS.values()) <= set(GENERAL_SITES)


def test_letter_case_unknown_words_and_datasets_without_words_of_their_own() -> None:
    assert general_site("pad_ufes_20", "FOREARM") == "upper extremity"
    assert general_site("ham10000", "forearm") is None
    assert general_site("csv", "Forearm") == "upper extremity"
    assert general_site("csv", None) is None
    assert general_site("csv", float("nan")) is None
    assert with_parents("lateral torso") == ("lateral torso", "torso")
    assert with_parents(None) == ()


def sited(name: str, adapter: str, sites: list, attributes: list | None = None) -> Manifest:
    made = manifest_of(["mel"] * len(sites), name=name)
    table = made.table.assign(site=pd.Series(sites, dtype=object))
    if attributes:
        table = table.assign(attributes=pd.Series(attributes, dtype=object))
    return dataclasses.replace(made, adapter=adapter, table=table)


def test_sites_in_other_words_are_refused_and_the_general_ones_named() -> None:
    ham = sited("ham", "ham10000", ["back", "abdomen", None])
    isic = sited("isic", "isic2019", ["anterior torso", None])
    with pytest.raises(UsageError, match=r"isic says 'anterior torso'.*use 'site_general'"):
        check_fields_of(["age", "site"], ham, [isic])
    check_fields_of(["age", "site_general"], ham, [isic])
    check_fields_of(["site"], ham, [sited("ham2", "ham10000", ["ear"])])
    check_fields_of(["site"], ham, [sited("own", "csv", ["back"])])


def test_columns_that_only_the_training_data_has() -> None:
    pad = sited("pad", "pad_ufes_20", ["back"], ['{"itch":"True"}'])
    check_fields_of(["itch"], pad, [pad])
    with pytest.raises(UsageError, match="'itch' is a column of pad and not of ham"):
        check_fields_of(["itch"], pad, [sited("ham", "ham10000", ["back"])])


@pytest.mark.real
def test_ham10000_against_what_isic2019_says_of_the_same_images() -> None:
    """All 10,015 images are in both tables: where both name a site, it is the same one."""
    data = Path(os.environ.get("SKINBENCH_DATA", "/nowhere"))
    if not (data / "ham10000").is_dir() or not (data / "isic2019").is_dir():
        pytest.skip("SKINBENCH_DATA with ham10000/ and isic2019/ is not there")
    tables = {
        name: registry.datasets.get(name).read(data / name, {}).table.set_index("image_id")
        for name in ("ham10000", "isic2019")
    }
    ham = tables["ham10000"]
    isic = tables["isic2019"].loc[ham.index]
    ours = [general_site("ham10000", site) for site in ham["site"]]
    theirs = [general_site("isic2019", site) for site in isic["site"]]
    pairs = Counter(zip(ours, theirs, strict=True))
    assert sum(n for (a, b), n in pairs.items() if a == b is not None) == 8329
    # ISIC 2019 has no site for `trunk`, which it parts into three, and none for these 48.
    assert {pair: n for pair, n in pairs.items() if pair[0] != pair[1]} == {
        ("torso", None): 1404,
        ("oral/genital", None): 48,
    }
    assert pairs[None, None] == 234
    # The labels too: akiec joins 130 AK and 197 SCC, every other class is the same.
    labels = Counter(zip(ham["label"], isic["label"], strict=True))
    assert {pair: n for pair, n in labels.items() if pair[0] != pair[1].lower()} == {
        ("akiec", "AK"): 130,
        ("akiec", "SCC"): 197,
    }
