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
