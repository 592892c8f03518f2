"""Fusion inputs in whole fits: trained, saved, predicted, explained."""

from __future__ import annotations

import numpy as np
import pytest

from skinbench.learn.explain import explain_cases
from skinbench.learn.fit import train_fits
from skinbench.learn.infer import PredictRequest, predict_fits
from skinbench.records import NamedSpec
from tests.learn.world import SIZE, fit_id, network, no_epochs

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("frozen", [False, True], ids=["trained", "frozen"])
@pytest.mark.parametrize("name", ["fusion_p2", "film", "metablock"])
def test_a_fit_of_each_fusion(world, name, frozen):
    options = {"fields": ["age", "sex", "site"]}
    spec = world.spec(
        model=network("test_resnet", frozen=frozen),
        input=NamedSpec(name=name, options=options),
        epochs=1,
    )
    fit = fit_id(spec)
    record = train_fits({fit: spec}, world.store, weights={}, on_epoch=no_epochs)[fit]
    assert record.error == ""
    ids = world.ids("test")
    request = PredictRequest(fit_id=fit, dataset=world.manifest.digest, image_ids=ids)
    (found,) = predict_fits([request], world.store, weights={}, workers=1, batch_size=5)
    assert found.sum(axis=1) == pytest.approx(np.ones(len(ids)), abs=1e-5)
    heat = explain_cases(fit, ids[:2], world.manifest.digest, world.store, weights={})
    assert heat.shape == (2, SIZE, SIZE)
