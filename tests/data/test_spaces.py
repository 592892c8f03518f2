import numpy as np
import pytest

from skinbench.data.spaces import judged_labels, judged_probabilities, space_map
from skinbench.data.taxonomy import label_space
from skinbench.errors import UsageError

ISIC8 = label_space("isic8")  # mel nv bcc ak bkl df vasc scc
HAM7 = label_space("ham7")  # akiec bcc bkl df mel nv vasc
ROWS = np.array(
    [
        [0.30, 0.20, 0.10, 0.15, 0.05, 0.05, 0.05, 0.10],
        [0.00, 0.40, 0.00, 0.25, 0.00, 0.00, 0.00, 0.35],
    ],
    dtype=np.float32,
)


def test_isic8_in_ham7_adds_ak_and_scc() -> None:
    mapping = space_map(ISIC8, HAM7)
    made = judged_probabilities(ROWS, mapping)
    assert made.dtype == np.float32
    np.testing.assert_allclose(
        made,
        [[0.25, 0.10, 0.05, 0.05, 0.30, 0.20, 0.05], [0.60, 0, 0, 0, 0, 0.40, 0]],
        atol=1e-7,
    )
    # Image 2 is nv in isic8 (0.40 against 0.35 and 0.25) and akiec in ham7.
    assert [ISIC8.classes[i] for i in ROWS.argmax(axis=1)] == ["mel", "nv"]
    assert [HAM7.classes[i] for i in made.argmax(axis=1)] == ["mel", "akiec"]
    labels = np.array(["scc", "ak", None, "mel"], dtype=object)
    assert judged_labels(labels, mapping).tolist() == ["akiec", "akiec", None, "mel"]
    assert any("ak + scc as akiec" in note for note in mapping.notes)
    assert any("exact on HAM10000's own images, approximate elsewhere" in n for n in mapping.notes)


@pytest.mark.parametrize(
    ("ak", "expected"),
    [
        ("malignant", [[0.35, 0.65], [0.40, 0.60]]),
        ("benign", [[0.50, 0.50], [0.65, 0.35]]),
        ("excluded", [[0.35 / 0.85, 0.50 / 0.85], [0.40 / 0.75, 0.35 / 0.75]]),
    ],
)
def test_isic8_in_malignant_goes_by_the_choice_about_ak(ak: str, expected: list) -> None:
    mapping = space_map(ISIC8, label_space("malignant", ak=ak))
    np.testing.assert_allclose(judged_probabilities(ROWS, mapping), expected, rtol=1e-6)
    assert (mapping.codes["ak"] is None) == (ak == "excluded")


def test_an_image_that_is_given_to_left_out_classes_alone() -> None:
    mapping = space_map(ISIC8, label_space("malignant"))
    alone = np.eye(8, dtype=np.float32)[[3]]
    assert judged_probabilities(alone, mapping).tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("source", [ISIC8, HAM7])
def test_melanoma_against_the_rest_keeps_the_code_of_melanoma(source) -> None:
    mapping = space_map(source, label_space("melanoma"))
    size = len(source.classes)
    even = np.full((1, size), 1 / size, dtype=np.float32)
    made = judged_probabilities(even, mapping)
    np.testing.assert_allclose(made, [[1 - 1 / size, 1 / size]], rtol=1e-6)
    assert mapping.codes["mel"] == "mel"


def test_ways_to_one_place_agree() -> None:
    whole = label_space("malignant", ak="malignant")
    straight = judged_probabilities(ROWS, space_map(ISIC8, whole))
    first = judged_probabilities(ROWS, space_map(ISIC8, HAM7))
    np.testing.assert_allclose(
        judged_probabilities(first, space_map(HAM7, whole)), straight, atol=1e-7
    )


def test_the_same_space_changes_no_byte() -> None:
    mapping = space_map(ISIC8, ISIC8)
    assert mapping.same
    assert mapping.notes == ()
    assert judged_probabilities(ROWS, mapping) is ROWS


def test_lists_in_another_order_are_put_in_order() -> None:
    mapping = space_map(label_space(["mel", "odd"]), label_space(["odd", "mel"]))
    assert not mapping.same
    row = np.array([[0.75, 0.25]], dtype=np.float32)
    assert judged_probabilities(row, mapping).tolist() == [[0.25, 0.75]]


@pytest.mark.parametrize(
    ("source", "target", "reason"),
    [
        (HAM7, ISIC8, "isic8 has no class for akiec of ham7: akiec joins"),
        (HAM7, label_space("malignant", ak="benign"), "akiec joins AK .here benign. and Bowen"),
        (label_space("melanoma"), HAM7, "no class for rest of melanoma"),
        (label_space("malignant"), label_space("melanoma"), "no class for malignant of malignant"),
        (label_space(["mel", "nv"]), HAM7, "custom has no class that akiec, bcc, bkl, df, vasc"),
        (ISIC8, label_space("isic8", own=True), "no class that unk could come from"),
        (label_space("isic8", own=True), ISIC8, "isic8 has no class for unk of isic8.unk"),
        (ISIC8, label_space(["mel", "nv"]), "custom has no class for bcc of isic8"),
        (
            label_space("malignant", ak="benign"),
            label_space("malignant", ak="malignant"),
            "counts AK as benign, what is judged as malignant",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(source, target, reason: str) -> None:
    with pytest.raises(UsageError, match=reason) as caught:
        space_map(source, target)
    assert "\n" not in str(caught.value)
