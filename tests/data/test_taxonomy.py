import pytest

from skinbench import registry
from skinbench.data.taxonomy import code_of, label_codes, label_space
from skinbench.errors import UnknownNameError, UsageError


def test_ham7_is_in_alphabetical_order_with_titles() -> None:
    space = label_space("ham7")
    assert space.classes == ("akiec", "bcc", "bkl", "df", "mel", "nv", "vasc")
    assert space.titles["mel"] == "melanoma"
    assert space.malignant == ("akiec", "bcc", "mel")


def test_isic8_has_the_order_of_the_official_ground_truth() -> None:
    assert label_space("isic8").classes == ("mel", "nv", "bcc", "ak", "bkl", "df", "vasc", "scc")


def test_a_list_becomes_codes_and_keeps_its_order_and_words() -> None:
    space = label_space(["Melanoma", "Benign nevus"])
    assert (space.name, space.classes) == ("custom", ("melanoma", "benign_nevus"))
    assert space.titles["benign_nevus"] == "Benign nevus"
    assert space.malignant == ("melanoma",)


def test_unknown_name_suggests_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'ham7'"):
        label_space("ham77")


@pytest.mark.parametrize("labels", [["mel"], ["mel", "MEL"], [], ["mel", "--"]])
def test_lists_that_are_no_label_space(labels: list[str]) -> None:
    with pytest.raises(UsageError):
        label_space(labels)


def test_code_of() -> None:
    assert code_of(" Basal-cell  Carcinoma! ") == "basal_cell_carcinoma"


def test_ham10000_maps_to_ham7_and_to_lists_but_not_to_isic8() -> None:
    entry = registry.datasets.get("ham10000")
    found = ["akiec", "mel", "odd"]
    assert label_codes(entry, "ham10000", label_space("ham7"), found) == {
        "akiec": "akiec",
        "mel": "mel",
        "odd": None,
    }
    binary = label_space(["mel", "nv"])
    assert label_codes(entry, "ham10000", binary, found) == {
        "akiec": None,
        "mel": "mel",
        "odd": None,
    }
    with pytest.raises(UsageError, match="isic8 exactly; it maps to: ham7"):
        label_codes(entry, "ham10000", label_space("isic8"), found)
