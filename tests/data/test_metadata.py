import json

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from skinbench.data.metadata import FORBIDDEN_FIELDS, MetadataEncoder, check_fields
from skinbench.errors import UsageError

TRAIN = pd.DataFrame(
    {
        "age": np.array([20, 40, np.nan, 60, 60], dtype=np.float32),
        "sex": ["male", "female", None, "male", "male"],
        "site": ["back", "face", "back", None, "back"],
    },
    dtype=object,
).astype({"age": np.float32})


def test_numbers_by_hand() -> None:
    encoder = MetadataEncoder.fit(TRAIN, ["age", "sex", "site"])
    assert encoder.names == ("age", "sex=female", "sex=male", "site=back", "site=face")
    expected = [
        [0.0, 0, 1, 1, 0],
        [0.5, 1, 0, 0, 1],
        [0.75, 0, 0, 1, 0],  # the median of 20, 40, 60, 60 is 50
        [1.0, 0, 1, 0, 0],
        [1.0, 0, 1, 1, 0],
    ]
    result = encoder.transform(TRAIN)
    assert result.dtype == np.float32
    np.testing.assert_array_equal(result, np.array(expected, dtype=np.float32))


def test_what_train_never_saw() -> None:
    encoder = MetadataEncoder.fit(TRAIN, ["site", "age"])
    other = pd.DataFrame({"age": [80.0, np.nan], "site": ["ear", None]})
    np.testing.assert_allclose(encoder.transform(other), [[0, 0, 1.5], [0, 0, 0.75]])


def test_the_vocabulary_is_of_train_alone_and_ignores_row_order() -> None:
    encoder = MetadataEncoder.fit(TRAIN, ["age", "sex", "site"])
    assert MetadataEncoder.fit(TRAIN.iloc[::-1], ["age", "sex", "site"]) == encoder


def test_nothing_known_gives_zeros() -> None:
    empty = TRAIN.assign(age=np.float32(np.nan), sex=None, site=None)
    encoder = MetadataEncoder.fit(empty, ["age", "sex", "site"])
    assert encoder.names == ("age",)
    np.testing.assert_array_equal(encoder.transform(TRAIN), np.zeros((5, 1)))
    assert encoder.transform(TRAIN.iloc[:0]).shape == (0, 1)


def test_one_age_only() -> None:
    encoder = MetadataEncoder.fit(TRAIN.iloc[:1], ["age"])
    assert np.isfinite(encoder.transform(TRAIN)).all()


def test_json_round_trip() -> None:
    encoder = MetadataEncoder.fit(TRAIN, ["sex", "age"])
    again = MetadataEncoder.from_plain(json.loads(json.dumps(encoder.to_plain())))
    assert again == encoder
    with pytest.raises(ValidationError):
        MetadataEncoder.from_plain({"fields": 3})


@pytest.mark.parametrize("name", FORBIDDEN_FIELDS)
def test_what_gives_the_label_away_is_refused_with_the_reason(name: str) -> None:
    with pytest.raises(UsageError, match=f"'{name}' is never an input: .{{10}}"):
        check_fields(["age", name])


def test_dx_type_and_file_size_are_among_them() -> None:
    assert {"dx_type", "file_size", "label"} <= set(FORBIDDEN_FIELDS)
    with pytest.raises(UsageError, match="follow-up is always a nevus"):
        MetadataEncoder.fit(TRAIN, ["dx_type"])


@pytest.mark.parametrize("fields", [[], ["age", "age"], ["agee"]])
def test_fields_that_cannot_be(fields: list[str]) -> None:
    with pytest.raises(UsageError):
        check_fields(fields)
    with pytest.raises(UsageError, match="did you mean 'age'"):
        check_fields(["agee"])


# --- other columns, missingness, general sites ------------------------------------------------


def with_attributes(*rows: dict[str, str] | None) -> pd.DataFrame:
    texts = [None if row is None else json.dumps(row) for row in rows]
    return pd.DataFrame({"attributes": pd.Series(texts, dtype=object)})


def test_other_columns_are_numbers_where_all_of_train_are_else_categories() -> None:
    train = with_attributes(
        {"itch": "True", "diameter_1": "2.0", "type": "3.0"},
        {"itch": "UNK", "diameter_1": "6", "type": "x"},
        {"itch": "True", "diameter_1": "4.0"},
        None,
    )
    encoder = MetadataEncoder.fit(train, ["itch", "diameter_1", "type"])
    assert encoder.names == ("itch=True", "itch=UNK", "diameter_1", "type=3.0", "type=x")
    expected = [[1, 0, 0, 1, 0], [0, 1, 1, 0, 1], [1, 0, 0.5, 0, 0], [0, 0, 0.5, 0, 0]]
    np.testing.assert_array_equal(encoder.transform(train), expected)
    # Fitted on train alone: a word is no number, a new category has no column.
    other = with_attributes({"itch": "False", "diameter_1": "wide", "type": "x"})
    np.testing.assert_array_equal(encoder.transform(other), [[0, 0, 0.5, 0, 1]])
    again = MetadataEncoder.from_plain(json.loads(json.dumps(encoder.to_plain())))
    np.testing.assert_array_equal(again.transform(train), expected)


def test_missingness_is_no_input_until_it_is_named() -> None:
    told = {"age": 50.0, "sex": "male", "site": "back"}
    known = TRAIN.iloc[[1]].assign(**told)
    unknown = known.assign(age=np.float32(np.nan))
    silent = MetadataEncoder.fit(TRAIN, ["age"])
    np.testing.assert_array_equal(silent.transform(known), silent.transform(unknown))
    told_of = MetadataEncoder.fit(TRAIN, ["age", "age.missing", "sex.missing"])
    assert told_of.names == ("age", "age.missing", "sex.missing")
    np.testing.assert_array_equal(told_of.transform(TRAIN)[:, 1], [0, 0, 1, 0, 0])
    np.testing.assert_array_equal(told_of.transform(TRAIN)[:, 2], [0, 0, 1, 0, 0])
    table = with_attributes({"itch": "True"}, {"grew": "True"}, None)
    encoder = MetadataEncoder.fit(table, ["itch.missing"])
    np.testing.assert_array_equal(encoder.transform(table), [[0], [1], [1]])


def test_an_encoder_of_an_earlier_fit_is_read() -> None:
    plain = MetadataEncoder.fit(TRAIN, ["age", "sex"]).to_plain()
    plain = {key: value for key, value in plain.items() if key not in ("numbers", "words")}
    again = MetadataEncoder.from_plain(plain)
    assert again == MetadataEncoder.fit(TRAIN, ["age", "sex"])


def test_a_general_site_sets_the_coarser_one_too() -> None:
    train = pd.DataFrame({"site_general": ["posterior torso", "head/neck", None]}, dtype=object)
    encoder = MetadataEncoder.fit(train, ["site_general"])
    assert [name.partition("=")[2] for name in encoder.names] == [
        "head/neck",
        "posterior torso",
        "torso",
    ]
    np.testing.assert_array_equal(encoder.transform(train), [[0, 1, 1], [1, 0, 0], [0, 0, 0]])
    other = pd.DataFrame({"site_general": ["torso", "anterior torso"]}, dtype=object)
    np.testing.assert_array_equal(encoder.transform(other), [[0, 0, 1], [0, 0, 1]])


@pytest.mark.parametrize(
    "name",
    [
        "biopsed", "diagnosis_confirm_type", "benign_malignant", "seven_point_score", "management",
        "level_of_diagnostic_difficulty", "file_size", "fold", "split", "tfrecord", "diagnosis_3",
        "iddx_full", "Biopsed", "mel_thick_mm",
    ],
)  # fmt: skip
def test_other_columns_that_give_the_label_away(name: str) -> None:
    for field in (name, f"{name}.missing"):
        with pytest.raises(UsageError, match=f"'{name}' is never an input: .{{10}}"):
            check_fields([field], columns={name})


def test_columns_that_a_dataset_has_or_lacks() -> None:
    check_fields(["itch", "itch.missing", "site_general"], columns={"itch", "biopsed"})
    with pytest.raises(UsageError, match="'itchy' is unknown; did you mean 'itch'"):
        check_fields(["itchy"], columns={"itch", "biopsed"})
    with pytest.raises(UsageError, match="known: age, itch, sex, site, site_general"):
        check_fields(["zzzzzz"], columns={"itch", "biopsed"})
