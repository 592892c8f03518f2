"""Tables that skinbench did not make: predictions, and what is known of their images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from skinbench.catalog.datasets._tables import columns_of, read_table
from skinbench.data.taxonomy import code_of
from skinbench.errors import DataError, PredictionsError, counted, one_line
from skinbench.store.parquet import read_parquet_table

ID_COLUMNS = ("image_id", "image", "image_name", "isic_id")
"""What a column of image ids is called: skinbench, ISIC 2016 to 2019, ISIC 2020, ISIC 2024."""
LABEL_COLUMNS = ("label", "dx")
"""What a column of labels is called: skinbench, HAM10000."""
WEIGHT_COLUMNS = ("weight", "score_weight")
_PREDICTED_ALSO = ("group_id", "dataset", "split", "fold", "condition", "weight", "label")
_ENDINGS = r"(?i)\.(?:jpe?g|png)$"
_INDEX = "__index_level_"
"""How pandas calls the row numbers that it stores."""
_PARQUET = frozenset({".parquet", ".pq"})
_BINARY = ("benign", "malignant")
"""Classes of a submission with one column `target`: ISIC 2020 and 2024."""

Floats = npt.NDArray[np.float64]


def read_predicted(path: Path) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """A table of predictions, as it stands.

    Parquet or CSV; `p_<class>` columns beside those of `records.predictions_schema`, or in
    ISIC's format: image ids and a column for each class. A lone column `target` is the
    probability of `malignant`.

    Returns:
        (image_id, p_<class> as float64 in [0, 1], and what the file has of split, fold,
        condition, group_id and weight, class codes in the order of the columns).

    Raises:
        PredictionsError: no ids, no class, or a cell that is no probability; names column and
            image.
    """
    frame = whole_table(path)
    found = pd.DataFrame({"image_id": _ids(frame, path)})
    skinbench = [name for name in frame.columns if name.startswith("p_")]
    columns = skinbench or [
        name for name in frame.columns if name not in {*ID_COLUMNS, *_PREDICTED_ALSO, "row"}
    ]
    if not columns:
        raise PredictionsError(
            f"{path}: has no column of a class; expected p_<class>, or one column for each class "
            f"as in ISIC's format"
        )
    codes = [code_of(name.removeprefix("p_") if skinbench else name) for name in columns]
    values = np.column_stack([_probabilities(frame, name, found, path) for name in columns])
    if codes == ["target"]:
        values, codes = np.column_stack([1 - values[:, 0], values[:, 0]]), list(_BINARY)
    if len(set(codes)) < len(codes) or len(codes) < 2:
        raise PredictionsError(
            f"{path}: has the classes {', '.join(codes)}; expected two or more different ones"
        )
    _refuse_undecided(values, found["image_id"], path)
    for index, code in enumerate(codes):
        found[f"p_{code}"] = values[:, index]
    for name in ("group_id", "split", "condition"):
        if name in frame:
            found[name] = frame[name].to_numpy(dtype=object)
    for name in ("fold", "weight"):
        if name in frame:
            found[name] = _numbers(frame[name], name, found, path)
    return found, tuple(codes)


def read_known(path: Path, classes: Sequence[str]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a table tells of images: their label and, where given, lesion, split and the like.

    The label is a column `label` (or `dx`), ISIC's one-hot columns, or 0 and 1 under `target`.

    Returns:
        (image_id, label (a code of `classes` or None), weight; the table itself, in that order).

    Raises:
        DataError: no ids, an id twice, no labels, or a label that is none of `classes`.
    """
    try:
        frame = whole_table(path)
        ids = _ids(frame, path)
    except PredictionsError as error:
        raise DataError(str(error)) from error
    twice = pd.Series(ids).duplicated()
    if twice.any():
        raise DataError(
            f"{path}: image {one_line(ids[int(np.argmax(twice))])} is there more than once "
            f"({counted(int(twice.sum()), 'row')} so); expected one row an image"
        )
    known = pd.DataFrame({"image_id": ids, "label": _labels(frame, ids, classes, path)})
    known["weight"] = 1.0
    for name in WEIGHT_COLUMNS:
        if name in frame:
            known["weight"] = known_numbers(frame, name, path)
            break
    return known, frame


def stated_classes(frame: pd.DataFrame, path: Path) -> tuple[str, ...]:
    """Classes of a table of truth without a label column, as ISIC publishes it.

    Its one-hot columns hold 0 and 1 alone; one column `target` tells malignant from benign.

    Raises:
        DataError: there are no such columns.
    """
    if "target" in frame:
        return _BINARY
    others = {*ID_COLUMNS, *WEIGHT_COLUMNS, *_PREDICTED_ALSO, "validation_weight"}
    names = [name for name in frame.columns if name not in others and str(name).strip("_ ")]
    marked = [name for name in names if _is_marks(frame[name])]
    if len(marked) < 2:
        raise DataError(
            f"{path}: has no label; expected a column {' or '.join(LABEL_COLUMNS)} beside "
            f"{' or '.join(ID_COLUMNS)}, or ISIC's one-hot columns"
        )
    return tuple(code_of(name) for name in marked)


def _is_marks(values: pd.Series) -> bool:
    return bool(values.map(lambda value: _number(value) in (0.0, 1.0)).all())


def known_numbers(frame: pd.DataFrame, name: str, path: Path) -> Floats:
    """A column of what `read_known` gave, as finite numbers.

    Raises:
        DataError: a cell is no number.
    """
    try:
        return _numbers(frame[name], name, pd.DataFrame({"image_id": _ids(frame, path)}), path)
    except PredictionsError as error:
        raise DataError(str(error)) from error


def whole_table(path: Path) -> pd.DataFrame:
    """A file of either kind as columns; text is object with None.

    Raises:
        PredictionsError: it is absent, or no table.
    """
    if path.suffix.lower() not in _PARQUET:
        try:
            return read_table(path)
        except DataError as error:
            raise PredictionsError(str(error)) from error
    try:
        # What pandas noted beside the columns is not asked: it may say anything.
        columns = read_parquet_table(path).replace_schema_metadata(None)
        table: pd.DataFrame = columns.to_pandas()
        table = table.drop(columns=[c for c in table.columns if c.startswith(_INDEX)])
    except (OSError, pa.ArrowException) as error:
        reason = one_line(str(error).partition("\n")[0])
        raise PredictionsError(f"{path}: cannot be read as Parquet ({reason})") from error
    return table


def _ids(frame: pd.DataFrame, path: Path) -> npt.NDArray[np.object_]:
    """Image ids as text without the ending of a file name."""
    name = next((column for column in ID_COLUMNS if column in frame), None)
    if name is None:
        raise PredictionsError(
            f"{path}: has no column of image ids; expected one of {', '.join(ID_COLUMNS)}, found "
            f"{columns_of(frame)}"
        )
    values = frame[name]
    if values.isna().any():
        row = int(np.argmax(values.isna().to_numpy()))
        raise PredictionsError(f"{path}: column '{name}', row {row + 1}: is empty")
    text = values.astype(str).str.replace(_ENDINGS, "", regex=True)
    return np.asarray(text, dtype=object)


def _numbers(values: pd.Series, name: str, ids: pd.DataFrame, path: Path) -> Floats:
    """A column as finite numbers."""
    try:
        with np.errstate(invalid="ignore"):  # a NaN of another kind is refused below
            found = np.asarray(values.to_numpy(), dtype=np.float64)
    except (ValueError, TypeError):
        found = np.array([_number(value) for value in values], dtype=np.float64)
    _refuse(~np.isfinite(found), values, name, "a finite number", ids, path)
    return found


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return float("nan")


def _probabilities(frame: pd.DataFrame, name: str, ids: pd.DataFrame, path: Path) -> Floats:
    found = _numbers(frame[name], name, ids, path)
    _refuse((found < 0) | (found > 1), frame[name], name, "a number in [0, 1]", ids, path)
    return found


def _refuse(
    bad: npt.NDArray[np.bool_],
    values: pd.Series,
    name: str,
    expected: str,
    ids: pd.DataFrame,
    path: Path,
) -> None:
    if bad.any():
        row = int(np.argmax(bad))
        raise PredictionsError(
            one_line(
                f"{path}: column '{name}', image {ids['image_id'].iloc[row]}: "
                f"{values.iloc[row]!r} is not {expected} ({counted(int(bad.sum()), 'row')} so)"
            )
        )


def _refuse_undecided(values: Floats, ids: pd.Series, path: Path) -> None:
    nothing = values.sum(axis=1) == 0
    if nothing.any():
        first = one_line(ids.iloc[int(np.argmax(nothing))])
        raise PredictionsError(
            f"{path}: image {first}: every probability is 0, so that no class is decided "
            f"({counted(int(nothing.sum()), 'row')} so); expected one above 0 in each row"
        )


def _labels(
    frame: pd.DataFrame, ids: npt.NDArray[np.object_], classes: Sequence[str], path: Path
) -> list[str | None]:
    column = next((name for name in LABEL_COLUMNS if name in frame), None)
    if column is not None:
        return _named_labels(frame[column], ids, classes, path)
    if "target" in frame and len(classes) == 2:
        return _targets(frame["target"], ids, classes, path)
    codes = {code_of(name): name for name in frame.columns if str(name).strip("_ ")}
    if all(code in codes for code in classes):
        return _one_hot(frame, {code: codes[code] for code in classes}, ids, path)
    raise DataError(
        f"{path}: has no label; expected a column {' or '.join(LABEL_COLUMNS)}, or ISIC's one-hot "
        f"columns {', '.join(classes)} as the predictions have them"
    )


def _named_labels(
    values: pd.Series, ids: npt.NDArray[np.object_], classes: Sequence[str], path: Path
) -> list[str | None]:
    known = values.notna().to_numpy()
    code = {label: code_of(str(label)) for label in set(values[known])}
    found = [code[label] if there else None for label, there in zip(values, known, strict=True)]
    odd = [index for index, label in enumerate(found) if label and label not in classes]
    if odd:
        others = ", ".join(sorted({str(found[index]) for index in odd}))
        raise DataError(
            f"{path}: image {one_line(ids[odd[0]])} is labelled {others.split(', ')[0]}; the "
            f"predictions have {', '.join(classes)} ({counted(len(odd), 'image')} labelled "
            f"{others}); leave such images out of both tables, or give them a class"
        )
    return found


def _targets(
    values: pd.Series, ids: npt.NDArray[np.object_], classes: Sequence[str], path: Path
) -> list[str | None]:
    numbers = [None if value is None or value != value else _number(value) for value in values]
    for image, number in zip(ids, numbers, strict=True):
        if number not in (None, 0, 1):
            raise DataError(f"{path}: image {one_line(image)}: target is not 0 or 1")
    return [None if number is None else classes[int(number)] for number in numbers]


def _one_hot(
    frame: pd.DataFrame,
    columns: Mapping[str, str],
    ids: npt.NDArray[np.object_],
    path: Path,
) -> list[str | None]:
    """The class whose column is above one half, as the official scorer reads its truth."""
    values = [known_numbers(frame, name, path) for name in columns.values()]
    marked = np.column_stack(values) > 0.5
    odd = marked.sum(axis=1) != 1
    if odd.any():
        row = int(np.argmax(odd))
        found = counted(int(marked[row].sum()), "class", "classes")
        raise DataError(
            f"{path}: image {one_line(ids[row])} has {found} of {', '.join(columns)}; expected "
            f"one ({counted(int(odd.sum()), 'row')} so)"
        )
    codes = list(columns)
    return [codes[index] for index in marked.argmax(axis=1)]
