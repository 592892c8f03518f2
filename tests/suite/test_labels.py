"""`labels:` in its short forms and its long one."""

import pytest

from skinbench.data.taxonomy import LabelRequest
from skinbench.plan.sources import _labels
from tests.suite.texts import fails, load, with_changes


def data(**source):
    return with_changes(data={"drawn": {"adapter": "synthetic", **source}})


@pytest.mark.parametrize(
    ("labels", "request_"),
    [
        (None, LabelRequest()),
        ("ham7", LabelRequest(space="ham7")),
        (["mel", "nv"], LabelRequest(space=("mel", "nv"))),
        (
            {"space": "malignant", "ak": "benign", "unmapped": "drop"},
            LabelRequest(space="malignant", ak="benign", unmapped="drop"),
        ),
        ({"unmapped": "own"}, LabelRequest(unmapped="own")),
        ({"space": "malignant"}, LabelRequest(space="malignant", ak="excluded")),
    ],
)
def test_forms(tmp_path, labels, request_):
    assert _labels(load(tmp_path, data(labels=labels)).file.data["drawn"].labels) == request_


@pytest.mark.parametrize(
    ("source", "parts"),
    [
        ({"labels": {"space": "ham7", "ak": "benign"}}, ["`ak` is for `space: malignant`"]),
        ({"labels": {"space": "malignant", "ak": "begnin"}}, ["did you mean 'benign'"]),
        ({"labels": {"space": "ham7", "unmaped": "drop"}}, ["unknown key", "'unmapped'"]),
        ({"cleaning": {"unmapped_label": "quarantine"}}, ["labels: {space: ..., unmapped:"]),
    ],
)
def test_mistakes(tmp_path, source, parts):
    message = str(fails(tmp_path, data(**source)))
    for part in parts:
        assert part in message
