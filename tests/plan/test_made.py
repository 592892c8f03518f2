"""Rows whose pixels another row's fit takes part in: the graph, identity and leaks."""

from __future__ import annotations

import pytest

from skinbench.data.made_pixels import seen_digest
from skinbench.data.pixels import pixel_digest
from skinbench.errors import SuiteError
from skinbench.suite import load_suite
from tests.plan.made import fit_of, plan
from tests.suite.texts import fails, load, with_changes, write

CNN = "baseline_cnn"


def cam(row="a", **options):
    return {"name": "cam_overlay", "row": row, "options": options}


def rows(**changes):
    return {"a": {"model": CNN}, "b": {"model": CNN, "pixels": cam(), **changes}}


def test_the_other_fit_comes_first_and_is_needed(tmp_path):
    made = plan(tmp_path, with_changes(rows=dict(reversed(rows().items())), baselines=False))
    first, second = fit_of(made, "a"), fit_of(made, "b")
    spec = made.fits[second]
    assert spec.pixels.fit == first
    assert (spec.pixels.fit_size, spec.pixels.source_size) == (32, 32)
    order = [node.name for node in made.nodes]
    needs = {node.name: node.needs for node in made.nodes}
    (dataset,) = spec.datasets.values()
    seen = f"pixels:{seen_digest(spec.pixels, dataset, 32)}"
    assert set(needs[f"fit:{second}"]) == {f"fit:{first}", seen}
    assert set(needs[seen]) == {f"fit:{first}", f"pixels:{pixel_digest(dataset, 32)}"}
    for name, wanted in needs.items():
        assert all(order.index(need) < order.index(name) for need in wanted)


def test_a_row_without_made_pixels_keeps_its_id(tmp_path):
    """Known ids of fits before pixels could be made: they are still the same."""
    text = with_changes(rows={"a": {"model": CNN, "pixels": None}})
    assert fit_of(plan(tmp_path, text), "a") == fit_of(plan(tmp_path), "a")


@pytest.mark.parametrize(
    "pixels",
    [cam(strength=0.9), cam(colours="plasma"), cam("c"), None],
    ids=str,
)
def test_everything_about_made_pixels_is_in_the_id(tmp_path, pixels):
    third = {"c": {"model": CNN, "epochs": 3}, "d": {"model": CNN, "pixels": pixels}}
    made = plan(tmp_path, with_changes(rows={**rows(), **third}))
    assert fit_of(made, "b") != fit_of(made, "d")


def test_folds_and_seeds_go_with_those_of_the_other_row(tmp_path):
    changed = rows(seeds=[0, 1, 2])
    changed["a"]["seeds"] = [1, 0]
    made = plan(
        tmp_path,
        with_changes(
            rows=changed, splits={"by_lesion": {"data": "drawn", "folds": 3}}, baselines=False
        ),
    )
    for fold in range(3):
        used = {seed: made.fits[fit_of(made, "b", fold, seed)].pixels.fit for seed in (0, 1, 2)}
        assert used[0] == fit_of(made, "a", fold, 0)
        assert used[1] == used[2] == fit_of(made, "a", fold, 1)


def error_of(folder, changed, **more):
    with pytest.raises(SuiteError) as caught:
        plan(folder, with_changes(rows=changed, **more))
    return caught.value


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"model": "nearest_neighbour"}, "no network that reads the image, so it gives no heatmap"),
        ({"model": CNN, "input": "metadata"}, "no network that reads the image"),
        ({"model": CNN, "input": "fusion_p1"}, "reads metadata, too"),
        ({"model": CNN, "pixels": cam("c")}, "sees made pixels itself"),
    ],
)
def test_rows_that_make_no_pixels(tmp_path, other, said):
    error = error_of(tmp_path, {**rows(), "a": other, "c": {"model": CNN}})
    assert said in error.message
    assert error.key == "rows.b.pixels.row"


def test_a_row_fitted_on_what_is_judged_makes_no_pixels(tmp_path):
    splits = {
        "by_lesion": {"data": "drawn", "test": 0.2, "val": 0.1},
        "other": {"data": "drawn", "test": 0.2, "val": 0.1, "seed": 5},
    }
    changed = {**rows(), "a": {"model": CNN, "split": "other"}}
    error = error_of(tmp_path, changed, splits=splits)
    assert "has seen val or test images (or their lesions) of split 'by_lesion'" in error.message


def test_names_and_sizes_that_cannot_be(tmp_path):
    found = fails(tmp_path, with_changes(rows=rows(pixels=cam("aa"))))
    assert (found.key, "did you mean 'a'" in found.message) == ("rows.b.pixels.row", True)
    found = fails(tmp_path, with_changes(rows=rows(pixels=cam("b"))))
    assert found.key == "rows.b.pixels.row"
    found = fails(tmp_path, with_changes(rows=rows(pixels={**cam(), "name": "cam"})))
    assert (found.key, "cam_overlay" in found.message) == ("rows.b.pixels.name", True)
    found = fails(tmp_path, with_changes(rows=rows(pixels=cam(strenth=1))))
    assert "pixels 'cam_overlay' has no option 'strenth'" in found.message
    found = fails(tmp_path, with_changes(rows=rows(pixels=cam(method="gradcamm"))))
    assert found.key == "rows.b.pixels.options.method"
    found = fails(tmp_path, with_changes(rows=rows(pixels={"name": "cam_overlay"})))
    assert found.key == "rows.b.pixels.row"
    error = error_of(tmp_path, rows(input="metadata"))
    assert "reads no image" in error.message


def test_only_keeps_the_row_that_makes_the_pixels(tmp_path):
    text = with_changes(rows={**rows(), "c": {"model": CNN}})
    kept = load_suite(write(tmp_path, text), only=["b"])
    assert [row.name for row in kept.rows] == ["a", "b"]


def test_a_grid_over_pixels(tmp_path):
    grid = {"model": CNN, "pixels": [None, {**cam(), "label": "cam"}]}
    made = load(tmp_path, with_changes(grids={"g": grid}))
    assert [row.name for row in made.rows] == ["a", "g/none", "g/cam"]


REGION = {"name": "region_crop", "row": "seg"}
SEGMENTED = {"seg": {"model": "unet"}, "b": {"model": CNN, "pixels": REGION}}


def test_regions_come_from_segmentations(tmp_path):
    made = plan(tmp_path, with_changes(rows=SEGMENTED, baselines=False))
    spec = made.fits[fit_of(made, "b")]
    (cell,) = made.segmentation_cells
    assert spec.pixels.fit == cell.fit
    assert spec.pixels.source_size == 32
    error = error_of(tmp_path, {"seg": {"model": CNN}, "b": {"model": CNN, "pixels": REGION}})
    assert "region_crop needs the mask of a segmentation" in error.message
    assert error.key == "rows.b.pixels.row"


@pytest.mark.parametrize("size", [16, "64", True])
def test_a_source_is_as_large_as_the_image_or_larger(tmp_path, size):
    pixels = {**REGION, "options": {"source_size": size}}
    error = error_of(tmp_path, {**SEGMENTED, "b": {"model": CNN, "pixels": pixels}})
    assert error.key == "rows.b.pixels.options.source_size"
    assert "at least image_size 32" in error.message


def test_a_larger_source_is_another_fit_and_another_need(tmp_path):
    pixels = {**REGION, "options": {"source_size": 64}}
    changed = {**SEGMENTED, "c": {"model": CNN, "pixels": pixels}}
    made = plan(tmp_path, with_changes(rows=changed, baselines=False))
    assert fit_of(made, "b") != fit_of(made, "c")
    spec = made.fits[fit_of(made, "c")]
    (dataset,) = spec.datasets.values()
    needs = {node.name: node.needs for node in made.nodes}
    seen = f"pixels:{seen_digest(spec.pixels, dataset, 32)}"
    assert f"pixels:{pixel_digest(dataset, 64)}" in needs[seen]


def test_a_search_runs_before_any_pixels_are_made(tmp_path):
    search = {"space": {"optimizer.lr": {"log": [1e-4, 1e-2]}}, "trials": 2}
    error = error_of(tmp_path, rows(search=search))
    assert error.key == "rows.b.search"
    assert "the row needs 'a' first" in error.message


def test_models_trained_elsewhere_neither_make_pixels_nor_see_them(tmp_path):
    (tmp_path / "m.safetensors").write_bytes(b"any")
    trained = {
        "file": str(tmp_path / "m.safetensors"),
        "labels": ["akiec", "bcc", "bkl", "df", "mel", "nv", "vasc"],
        "size": 32,
        "mean": [0.5, 0.5, 0.5],
        "std": [0.5, 0.5, 0.5],
    }
    elsewhere = {"model": {"name": "test_resnet", "trained": trained}}
    error = error_of(tmp_path, {**rows(), "a": elsewhere})
    assert "was trained elsewhere, on images that are not known here" in error.message
    error = error_of(tmp_path, {"a": {"model": CNN}, "b": {**elsewhere, "pixels": cam()}})
    assert error.key == "rows.b.pixels"
