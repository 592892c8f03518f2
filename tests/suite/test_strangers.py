"""Whatever a file holds, the loader accepts it or says on one line why not."""

import time

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from skinbench.errors import SkinbenchError
from skinbench.suite import load_suite, suite_to_yaml
from tests.examples import examples
from tests.suite.test_resolved import FULL

FAST = settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
FEW = settings(parent=FAST, max_examples=examples(40))


def survives(path, **options) -> None:
    start = time.process_time()
    suite = failure = None
    try:
        suite = load_suite(path, **options)
    except SkinbenchError as error:
        failure = error
    assert time.process_time() - start < 10, "far below a second"  # whoever else computes
    if failure is not None:
        assert "\n" not in str(failure)
        assert failure.exit_code == 2
        return
    again = path.with_name("again.yaml")
    again.write_text(suite_to_yaml(suite), encoding="utf-8")
    assert suite_to_yaml(load_suite(again)) == suite_to_yaml(suite)


@FAST
@given(st.binary(max_size=300))
def test_random_bytes(tmp_path, data):
    path = tmp_path / "suite.yaml"
    path.write_bytes(data)
    survives(path)


marks = st.text(alphabet=st.sampled_from("ab:-[]{}&*!|>#%@`'\"?,\n \t0.e~<\x00é"), max_size=80).map(
    "name: x\n{}".format
)


@FAST
@given(marks)
def test_random_text_of_yaml_marks(tmp_path, text):
    path = tmp_path / "suite.yaml"
    path.write_text(text, encoding="utf-8")
    survives(path)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 10**30),
    st.floats(),
    st.text(max_size=5),
    st.sampled_from(["drawn", "by_lesion", "a/b", "none", "focal", "image", "*", "${X}", "mel"]),
)
trees = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=4), inner, max_size=3)
    ),
    max_leaves=6,
)


def places(value, path=()):
    yield path
    if isinstance(value, dict):
        for key, item in value.items():
            yield from places(item, (*path, key))
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from places(item, (*path, index))


PLACES = [path for path in places(FULL) if path]


def replaced(value, path, new):
    if not path:
        return new
    copied = value.copy()
    copied[path[0]] = replaced(value[path[0]], path[1:], new)
    return copied


suites = st.builds(
    lambda path, new: yaml.safe_dump(replaced(FULL, path, new)), st.sampled_from(PLACES), trees
)
"""A suite that says everything, with anything in one place."""


@FAST
@given(st.sampled_from(PLACES), trees, st.sampled_from([None, "p"]))
def test_a_good_suite_with_anything_anywhere(tmp_path, path, new, profile):
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(replaced(FULL, path, new)), encoding="utf-8")
    survives(file, profile=profile)


@FEW
@given(st.lists(st.text(max_size=12), max_size=2), trees)
def test_overrides_of_anything(tmp_path, parts, value):
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    survives(file, sets=[f"{'.'.join(parts)}={yaml.safe_dump(value, default_flow_style=True)}"])


@FEW
@given(st.sampled_from(PLACES), trees)
def test_overrides_of_what_is_there(tmp_path, path, value):
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    key = ".".join(str(part) for part in path)
    survives(file, sets=[f"{key}={yaml.safe_dump(value, default_flow_style=True)}"])


@pytest.mark.parametrize("only", [["["], ["*"], ["[!a]*"], ["\x00"], ["a" * 1000]])
def test_patterns_of_strangers(tmp_path, only):
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    survives(file, only=only)


@pytest.mark.parametrize("name", ["AWS_SECRET_ACCESS_KEY", "SKINBENCH_SALT", "HF_TOKEN", "MY_KEY"])
def test_a_secret_is_no_path(tmp_path, monkeypatch, name):
    monkeypatch.setenv(name, "hush-1b7f00")
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    suite = load_suite(file)
    with pytest.raises(SkinbenchError, match="is a secret by its name") as caught:
        suite.expand_path(f"${{{name}}}/images", ("data", "far", "root"))
    assert "hush" not in str(caught.value)
    monkeypatch.setenv("MONKEYS", "/here")
    assert suite.expand_path("${MONKEYS}/x", ("data", "far", "root")).as_posix() == "/here/x"


@pytest.mark.parametrize(
    ("text", "own"),
    [
        ("s3://theirs/x", ""),
        ("file:///etc", ""),
        ("${NOT_SET:-s3://theirs/x}", ""),
        ("${SCHEME}3://theirs/x", "s"),
        ("${SKINBENCH_DATA}-theirs/x", "s3://mine"),
        ("${SKINBENCH_DATA}/x?endpoint_override=theirs", "s3://mine"),
        ("${SKINBENCH_DATA}?endpoint_override=theirs", "s3://mine"),
        ("${SKINBENCH_DATA}/x#y", "s3://mine"),
    ],
)
def test_a_suite_sends_nobody_elsewhere(tmp_path, monkeypatch, text, own):
    monkeypatch.setenv("SKINBENCH_DATA", own)
    monkeypatch.setenv("SCHEME", own)
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    with pytest.raises(SkinbenchError, match="a suite names no URL itself; set a variable"):
        load_suite(file).expand_path(text, ("data", "far", "root"))


def test_what_is_below_the_users_own_url_is_fetched(tmp_path, monkeypatch):
    (tmp_path / "there" / "ham").mkdir(parents=True)
    (tmp_path / "there" / "ham" / "a.csv").write_text("1")
    monkeypatch.setenv("SKINBENCH_DATA", f"file://{tmp_path}/there")
    monkeypatch.setenv("SKINBENCH_STORE_CACHE", str(tmp_path / "here"))
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump(FULL), encoding="utf-8")
    key = ("data", "far", "root")
    folder = load_suite(file).expand_path("${SKINBENCH_DATA}/ham", key)
    assert folder.is_relative_to(tmp_path / "here")
    assert folder.name == "ham"
    assert (folder / "a.csv").read_text() == "1"
    path = load_suite(file).expand_path("${SKINBENCH_DATA}/ham/a.csv", key)
    assert (path.name, path.read_text()) == ("a.csv", "1")


def test_programs_of_a_stranger_can_be_forbidden(tmp_path, monkeypatch):
    (tmp_path / "plug.py").write_text('KIND = "techniques"\n')
    file = tmp_path / "suite.yaml"
    file.write_text(yaml.safe_dump({**FULL, "plugins": ["plug.py"]}), encoding="utf-8")
    monkeypatch.setenv("SKINBENCH_NO_PLUGINS", "1")
    with pytest.raises(SkinbenchError, match=r"suite\.yaml:\d+: plugins: names programs"):
        load_suite(file)
