import pytest

from skinbench.errors import SuiteError, UsageError
from skinbench.suite import load_suite, resolve_name, shipped_suites
from tests.suite.texts import SMALL, fails, load, with_changes, write


def settings(suite, row="a"):
    return next(item.settings for item in suite.rows if item.name == row)


# --- --set ---


@pytest.mark.parametrize(
    ("item", "look", "expected"),
    [
        ("defaults.epochs=7", lambda s: settings(s).epochs, 7),
        ("rows.a.epochs=7", lambda s: settings(s).epochs, 7),
        ("defaults.optimizer.lr=1e-2", lambda s: settings(s).optimizer.lr, 0.01),
        (
            "rows.a.optimizer={name: sgd, momentum: 0.5}",
            lambda s: settings(s).optimizer.name,
            "sgd",
        ),
        ("defaults.early_stopping=null", lambda s: settings(s).early_stopping, None),
        ("defaults.seeds=[1, 2]", lambda s: settings(s).seeds, [1, 2]),
        ("rows.a.model.frozen=true", lambda s: settings(s).model.frozen, True),
        ("rows.a.technique=focal", lambda s: settings(s).technique.name, "focal"),
        ("data.drawn.sample=5", lambda s: s.file.data["drawn"].sample, 5),
        ("baselines=false", lambda s: s.file.baselines, False),
        ("bootstrap.replicates=100", lambda s: s.file.bootstrap.replicates, 100),
        (" name = other", lambda s: s.name, "other"),
        ("description=a=b", lambda s: s.file.description, "a=b"),
    ],
)
def test_set_reaches_every_setting_and_makes_missing_keys(tmp_path, item, look, expected):
    assert look(load(tmp_path, sets=[item])) == expected


def test_set_knows_row_names_with_dots_and_slashes(tmp_path):
    rows = {name: {"model": "baseline_cnn"} for name in ("p1/x", "p1/x.5", "p1")}
    suite = load(
        tmp_path,
        with_changes(rows=rows),
        sets=["rows.p1/x.epochs=3", "rows.p1/x.5.epochs=4", "rows.p1.epochs=5"],
    )
    assert {row.name: row.settings.epochs for row in suite.rows} == {
        "p1/x": 3,
        "p1/x.5": 4,
        "p1": 5,
    }


def test_the_last_set_wins_and_stands_over_the_profile(tmp_path):
    text = with_changes(profiles={"p": {"defaults": {"epochs": 9, "batch_size": 4}}})
    suite = load(tmp_path, text, profile="p", sets=["defaults.epochs=3", "defaults.epochs=5"])
    assert (settings(suite).epochs, settings(suite).batch_size) == (5, 4)


@pytest.mark.parametrize("item", ["defaults.epochs", "=3", " =3", "a={1", "a=[", "a=x: y: z"])
def test_set_of_a_bad_form_shows_a_good_one(tmp_path, item):
    with pytest.raises(UsageError, match="--set"):
        load(tmp_path, sets=[item])


@pytest.mark.parametrize(
    ("item", "key", "part"),
    [
        ("defaults.epochs=x", "defaults.epochs", "integer"),
        ("defaults.epoch=3", "defaults.epoch", "'epochs'"),
        ("rows.b.epochs=3", "rows.b", "needs `model`"),
        ("default.epochs=3", "default", "'defaults'"),
        ("gate.0.margin=0.1", "gate", "list"),
        ("a..b=1", "a", "unknown key 'a'"),
    ],
)
def test_set_of_a_wrong_setting_names_the_key(tmp_path, item, key, part):
    error = fails(tmp_path, SMALL, sets=[item])
    assert error.key == key
    assert part in error.message


# --- profiles ---


def test_a_profile_is_merged_deeply(tmp_path):
    text = with_changes(
        defaults={"split": "by_lesion", "optimizer": {"name": "sgd", "lr": 0.1}},
        grids={"g": {"model": {"name": "baseline_cnn", "label": "m"}, "technique": ["none"]}},
        profiles={
            "small": {
                "defaults": {"optimizer": {"lr": 0.5}},
                "grids": {"g": {"technique": ["none", "focal"]}},
                "data": {"drawn": {"sample": 10}},
            }
        },
    )
    plain, small = load(tmp_path, text), load(tmp_path, text, profile="small")
    assert settings(plain).optimizer.lr == 0.1
    assert (settings(small).optimizer.name, settings(small).optimizer.lr) == ("sgd", 0.5)
    assert [row.name for row in small.rows] == ["a", "g/none", "g/focal"]
    assert small.file.data["drawn"].options == {"lesions": 20}


def test_several_profiles_are_merged_in_the_order_given(tmp_path):
    text = with_changes(
        profiles={
            "few": {"defaults": {"epochs": 2, "batch_size": 4}},
            "long": {"defaults": {"epochs": 9}},
        }
    )
    for profiles, epochs in ((["few", "long"], 9), (("long", "few"), 2), (["long"], 9)):
        found = settings(load(tmp_path, text, profile=profiles))
        assert found.epochs == epochs
        assert (found.batch_size == 4) == ("few" in profiles)
    assert "no profile 'x'" in str(fails(tmp_path, text, profile=["few", "x"]))


def test_a_profile_that_names_another_entry_replaces_the_whole(tmp_path):
    text = with_changes(
        defaults={"split": "by_lesion", "technique": {"name": "focal", "options": {"gamma": 1}}},
        profiles={"p": {"defaults": {"technique": {"name": "class_weights"}}}},
    )
    assert settings(load(tmp_path, text, profile="p")).technique.options == {}


def test_errors_in_a_profile_point_at_its_line(tmp_path):
    text = (
        "name: x\ndata: {d: {adapter: synthetic}}\nsplits: {s: {data: d, test: 0.2}}\n"
        "rows: {a: {model: baseline_cnn, split: s}}\ndefaults:\n  epochs: 3\n"
        "profiles:\n  p:\n    defaults:\n      epochs: 0\n"
    )
    error = fails(tmp_path, text, profile="p")
    assert (error.line, error.key) == (10, "defaults.epochs")


@pytest.mark.parametrize(
    ("profiles", "profile", "part"),
    [
        ({"laptop": {}}, "laptob", "did you mean 'laptop'"),
        ({}, "x", "none are known"),
        ({"x": None}, "x", "settings to merge"),
        ({"x": [1]}, "x", "settings to merge"),
        (["x"], "x", "no profile"),
        ("x", "x", "no profile"),
    ],
)
def test_profiles_that_are_not_there(tmp_path, profiles, profile, part):
    assert part in str(fails(tmp_path, with_changes(profiles=profiles), profile=profile))


# --- --only ---

CHAIN = with_changes(
    rows={
        "start": {"model": "baseline_cnn"},
        "next": {"model": {"name": "baseline_cnn", "weights": {"row": "start"}}},
        "apart": {"model": "baseline_cnn"},
    },
    grids={"g": {"model": "baseline_cnn", "technique": ["none", "focal"]}},
    derived={
        "pair": {"kind": "mean_probability", "of": ["next", "g/none"]},
        "all": {"kind": "mean_logit", "of": ["pair", "apart"]},
    },
    evaluate=[{"rows": "g/*", "conditions": "blur@1"}, {"rows": "apart", "conditions": "blur@2"}],
)


@pytest.mark.parametrize(
    ("only", "rows", "derived", "evaluated"),
    [
        (["apart"], ["apart"], [], ["apart"]),
        (["next"], ["start", "next"], [], []),
        (["g/*"], ["g/none", "g/focal"], [], ["g/*"]),
        (["pair"], ["start", "next", "g/none"], ["pair"], ["g/*"]),
        (["all"], ["start", "next", "apart", "g/none"], ["pair", "all"], ["g/*", "apart"]),
        (["start", "*focal"], ["start", "g/focal"], [], ["g/*"]),
    ],
)
def test_only_keeps_what_is_needed(tmp_path, only, rows, derived, evaluated):
    suite = load(tmp_path, CHAIN, only=only)
    assert [row.name for row in suite.rows] == rows
    assert list(suite.file.derived) == derived
    assert [item.rows for item in suite.file.evaluate] == evaluated


@pytest.mark.parametrize(("glob", "near"), [("starrt", "'start'"), ("zzz*", "known: all, apart")])
def test_only_without_a_match_is_an_error(tmp_path, glob, near):
    with pytest.raises(UsageError, match="no row matches") as caught:
        load(tmp_path, CHAIN, only=["start", glob])
    assert near in str(caught.value)


# --- partial rows, short forms ---


def test_a_row_may_override_a_part_of_the_defaults(tmp_path):
    defaults = {
        "split": "by_lesion",
        "model": "baseline_cnn",
        "technique": {"name": "focal", "options": {"gamma": 1.5}},
        "optimizer": {"name": "sgd", "momentum": 0.5},
        "early_stopping": {"patience": 9},
    }
    rows = {
        "frozen": {"model": {"frozen": True}},
        "same": {"technique": "focal", "optimizer": "sgd"},
        "other": {"technique": "class_weights", "optimizer": "adam", "early_stopping": None},
        "empty": {},
        "part": {"early_stopping": {"min_delta": 0.1}},
    }
    suite = load(tmp_path, with_changes(defaults=defaults, rows=rows))
    assert settings(suite, "frozen").model.name == "baseline_cnn"
    assert settings(suite, "frozen").model.frozen
    assert settings(suite, "same").technique.options == {"gamma": 1.5}
    assert settings(suite, "same").optimizer.momentum == 0.5
    assert settings(suite, "other").technique.options == {}
    assert settings(suite, "other").optimizer.momentum is None
    assert settings(suite, "other").early_stopping is None
    assert settings(suite, "empty").model.name == "baseline_cnn"
    assert settings(suite, "part").early_stopping.patience == 9
    assert settings(suite, "part").early_stopping.min_delta == 0.1


@pytest.mark.parametrize(
    "technique", ["focal", {"name": "focal"}, {"name": "focal", "options": {"gamma": 1}}]
)
def test_short_and_long_forms(tmp_path, technique):
    suite = load(
        tmp_path, with_changes(rows={"a": {"model": "baseline_cnn", "technique": technique}})
    )
    assert settings(suite).technique.name == "focal"


def test_single_values_are_lists_of_one(tmp_path):
    rows = {
        "a": {"model": "baseline_cnn", "augment": "p1"},
        "b": {"model": "baseline_cnn", "augment": [{"name": "rotation"}, "horizontal_flip"]},
    }
    derived = {"e": {"kind": "mean_probability", "of": "a"}}
    suite = load(tmp_path, with_changes(rows=rows, derived=derived))
    assert [item.name for item in settings(suite, "a").augment] == ["p1"]
    assert [item.name for item in settings(suite, "b").augment] == ["rotation", "horizontal_flip"]
    assert suite.file.derived["e"].of == ["a"]


def test_weights_take_three_channels(tmp_path):
    def model(mean):
        weights = {"file": "w.safetensors", "mean": mean, "std": [1, 0.5, 0.25]}
        return {"a": {"model": {"name": "baseline_cnn", "weights": weights}}}

    suite = load(tmp_path, with_changes(rows=model([0.5, 0.5, 0.5])))
    assert settings(suite).model.weights.mean == (0.5, 0.5, 0.5)
    assert settings(suite).model.weights.std == (1.0, 0.5, 0.25)
    for bad in ([0.5, 0.5], 0.5, ["a", "b", "c"], [0, 0, 0, 0]):
        assert fails(tmp_path, with_changes(rows=model(bad))).key.startswith(
            "rows.a.model.weights.mean"
        )


# --- what is reduced ---


def test_reduced_names_what_a_profile_or_override_made_smaller(tmp_path):
    text = with_changes(
        rows={"a": {"model": "baseline_cnn"}, "b": {"model": "baseline_cnn", "epochs": 5}},
        profiles={"p": {"defaults": {"epochs": 1}}, "s": {"data": {"drawn": {"sample": 9}}}},
    )
    assert load(tmp_path, text).reduced == {}
    assert load(tmp_path, text, profile="p").reduced == {"a": "epochs 1 instead of 2"}
    assert set(load(tmp_path, text, profile="s").reduced) == {"a", "b"}
    assert load(tmp_path, text, sets=["defaults.image_size=16"]).reduced == {
        "a": "image_size 16 instead of 32",
        "b": "image_size 16 instead of 32",
    }
    frozen = load(tmp_path, text, sets=["rows.b.model.frozen=true"])
    assert frozen.reduced["b"] == "backbone frozen"
    other = load(tmp_path, text, sets=["rows.b.model.name=resnet50"])
    assert other.reduced["b"] == "model resnet50 instead of baseline_cnn"
    assert load(tmp_path, text, sets=["gate=[]"]).reduced == {}


# --- names and paths ---


def test_variables_in_paths(tmp_path, monkeypatch):
    text = "name: x\ndata:\n  d:\n    adapter: csv\n    root: ${SKINBENCH_DATA}/d\n" + (
        "splits: {s: {data: d, test: 0.2}}\nrows: {a: {model: baseline_cnn, split: s}}\n"
    )
    suite = load(tmp_path, text)
    key = ("data", "d", "root")
    monkeypatch.setenv("SKINBENCH_DATA", "/somewhere")
    assert str(suite.expand_path("${SKINBENCH_DATA}/d", key)) == "/somewhere/d"
    assert str(suite.expand_path("${NOT_SET_AT_ALL:-/default}/d", key)) == "/default/d"
    assert suite.expand_path("sub/x", key) == tmp_path / "sub/x"
    for unset in ("", None):
        monkeypatch.delenv("SKINBENCH_DATA", raising=False)
        if unset is not None:
            monkeypatch.setenv("SKINBENCH_DATA", unset)
        with pytest.raises(SuiteError, match="SKINBENCH_DATA is not set; it names the folder") as e:
            suite.expand_path("${SKINBENCH_DATA}/d", key)
        assert (e.value.line, e.value.key) == (5, "data.d.root")


def test_shipped_suites_load_by_name_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert {"quickstart", "ham10000"} <= set(shipped_suites())
    for name, path in shipped_suites().items():
        assert load_suite(name).name == name
        assert resolve_name(f"suites/{name}.yaml") == path
        for profile in load_suite(name).file.profiles:
            assert load_suite(name, profile=profile).rows
    write(tmp_path, SMALL, "quickstart")
    assert load_suite("quickstart").name == "small"


@pytest.mark.parametrize(
    "name", ["quickstrat", "x" * 5000, "a\0b", ".", "/", "", "suites/nope.yaml"]
)
def test_no_such_suite(name):
    with pytest.raises(UsageError, match="no such suite file"):
        resolve_name(name)
