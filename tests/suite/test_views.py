"""`augment: {dihedral: 4}`, `tta:` and lists of transforms, in the file's forms."""

import jsonschema
import pytest

from skinbench.suite.json_schema import suite_schema
from tests.suite.texts import fails, load, with_changes

MODEL = {"model": "baseline_cnn"}


def row(folder, settings, **changes):
    suite = load(folder, with_changes(rows={"a": {**MODEL, **settings}}, **changes))
    return next(r.settings for r in suite.rows if r.name == "a")


def test_views_have_a_short_form(tmp_path):
    for given in ({"dihedral": 4}, [{"dihedral": 4}]):
        (item,) = row(tmp_path, {"augment": given}).augment
        assert (item.name, item.options) == ("dihedral", {"views": 4})
    both = row(tmp_path, {"augment": [{"dihedral": ["none", "rot90"]}, "brightness"]}).augment
    assert [item.name for item in both] == ["dihedral", "brightness"]


def test_views_replace_what_defaults_say_whole(tmp_path):
    for below, above in (("p1", {"dihedral": 8}), ({"dihedral": 8}, "p1"), ({"name": "p1"}, "p2")):
        text = with_changes(rows={"a": {**MODEL, "augment": above}})
        text["defaults"] = {**text.get("defaults", {}), "augment": below}
        (item,) = next(r for r in load(tmp_path, text).rows if r.name == "a").settings.augment
        assert item.name == (above if isinstance(above, str) else "dihedral")


def test_views_at_test_time(tmp_path):
    assert row(tmp_path, {}).tta is None
    assert row(tmp_path, {"tta": {"dihedral": 4}}).tta == ["none", "hflip", "vflip", "rot180"]
    assert len(row(tmp_path, {"tta": {"dihedral": 8}}).tta) == 8
    assert row(tmp_path, {"tta": ["none", "rot90"]}).tta == ["none", "rot90"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"tta": {"dihedral": 3}}, "expected `{dihedral: 4}`, `{dihedral: 8}`"),
        ({"tta": {"flips": 4}}, "expected `{dihedral: 4}`"),
        ({"tta": ["none", "none"]}, "names a view twice"),
        ({"tta": ["rot45"]}, "rot45"),
        ({"tta": []}, "at least 1"),
        ({"tta": {"dihedral": 4}, "input": "metadata"}, "reads no image: leave `tta` out"),
        ({"augment": {"dihedral": 5}}, "views is 5; expected 4, 8, or a list"),
        ({"augment": {"dihedral": ["rot45"]}}, "expected 4, 8, or a list"),
    ],
)
def test_views_that_cannot_be(tmp_path, settings, words):
    error = fails(tmp_path, with_changes(rows={"a": {**MODEL, **settings}}))
    assert words in error.message
    assert error.key.startswith("rows.a")


@pytest.mark.parametrize(
    ("settings", "valid"),
    [
        ({"augment": {"dihedral": 4}}, True),
        ({"augment": [{"dihedral": ["none", "hflip"]}, "p1"]}, True),
        ({"augment": [{"name": "rotation", "options": {"degrees": 15, "p": 0.5}}]}, True),
        ({"augment": {"dihedral": 5}}, False),
        ({"tta": {"dihedral": 8}}, True),
        ({"tta": ["none", "transpose"]}, True),
        ({"tta": None}, True),
        ({"tta": {"dihedral": 5}}, False),
        ({"tta": ["rot45"]}, False),
    ],
)
def test_editors_know_the_forms(settings, valid):
    text = with_changes(rows={"a": {**MODEL, **settings}}, grids={"g": {**settings, "epochs": [1]}})
    problems = list(jsonschema.Draft202012Validator(suite_schema()).iter_errors(text))
    assert (not problems) == valid, problems[:1]
