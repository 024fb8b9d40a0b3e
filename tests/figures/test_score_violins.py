"""Violins of a score by patient and stage."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from chemores_dask.errors import MissingVariableError, ParameterError
from chemores_dask.figures.score_violins import score_violins
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import cube_result, score_result, states_result


@pytest.fixture
def scores():
    """Four patients: two rise, one falls, the last has one stage only."""
    patients, stages, values = [], [], []
    for patient, stage, center, cells in (
        ("P1", "pre", 0.0, 50),
        ("P1", "post", 1.0, 40),
        ("P2", "pre", 0.2, 30),
        ("P2", "post", 2.0, 60),
        ("P3", "pre", 1.0, 30),
        ("P3", "post", 0.5, 30),
        ("P4", "pre", 0.3, 20),
    ):
        patients += [patient] * cells
        stages += [stage] * cells
        values += list(center + np.linspace(-0.4, 0.4, cells))
    order = np.random.default_rng(1).permutation(len(values))
    return xr.Dataset(
        {"cell_score": (("cell", "gene_set"), np.array(values)[order][:, None], {"units": "log expression"})},
        coords={
            "cell": [f"cell{i}" for i in range(len(values))],
            "gene_set": ["stemness"],
            "patient": ("cell", np.array(patients)[order]),
            "stage": ("cell", np.array(stages)[order]),
        },
    )


def test_score_violins__dots_are_medians_and_lines_join_a_patient(scores):
    figure = score_violins(scores, stage="stage", order=["pre", "post"])
    medians = [line.get_ydata()[0] for line in by_name(figure, "median")]
    np.testing.assert_allclose(medians, [0.0, 1.0, 0.2, 2.0, 1.0, 0.5, 0.3], atol=1e-12)
    links = [line.get_ydata().tolist() for line in by_name(figure, "link")]
    np.testing.assert_allclose(links, [[0.0, 1.0], [0.2, 2.0], [1.0, 0.5]], atol=1e-12)
    assert len(by_name(figure, "violin")) == 7
    text = said(figure)
    assert "higher at post in 2 of 3 patients" in text
    assert "n = 4 patients, 260 cells. 3 with cells at pre and at post" in text
    assert "patients are the replicates" in text
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["P1", "P2", "P3", "P4"]


def test_score_violins__says_what_most_patients_do(scores):
    turned = score_violins(scores, stage="stage", order=["post"])
    assert "lower at pre in 2 of 3 patients" in said(turned)
    together = said(score_violins(scores))
    assert "Score of stemness in 4 patients" in together
    assert "with cells at" not in together


def test_score_violins__are_as_wide_as_cells_are_dense(scores):
    figure = score_violins(scores, stage="stage", order=["pre", "post"])
    for violin, line in zip(by_name(figure, "violin"), by_name(figure, "median"), strict=True):
        outline = np.concatenate([path.vertices for path in violin.get_paths()])
        place, median = line.get_xdata()[0], line.get_ydata()[0]
        assert outline[:, 0].mean() == pytest.approx(place, abs=0.02)
        assert np.abs(outline[:, 1] - median).max() < 0.4 + 5 * (outline[:, 1].max() - outline[:, 1].min()) / 20
        assert np.abs(outline[:, 0] - place).max() <= 0.5


def test_score_violins__take_columns_and_order_from_the_cube():
    cube = cube_result()
    figure = score_violins(score_result(), cube=cube, stage="stage", states=states_result())
    assert [line.get_ydata()[0] for line in by_name(figure, "threshold")] == [0.55]
    assert "threshold of the states" in " ".join(said(figure).split())
    assert len(by_name(figure, "median")) == 6
    turned = score_violins(score_result(), cube=cube.isel(sample=slice(None, None, -1)), stage="stage")
    assert [text.get_text() for text in turned.axes[0].get_legend().get_texts()] == ["relapse", "diagnosis"]


def test_score_violins__moves_a_long_claim_into_the_note(scores):
    long = said(
        score_violins(scores.assign_coords(gene_set=["a_very_long_name_of_a_gene_set"]), stage="stage", order=["pre"])
    )
    assert "Median higher at post in 2 of them" in " ".join(long.split())


def test_score_violins__leaves_missing_scores_out(scores):
    scores["cell_score"][:] = scores["cell_score"].where(scores["patient"] != "P2")
    text = said(score_violins(scores, stage="stage", order=["pre", "post"]))
    assert "n = 3 patients, 170 cells" in text
    scores["cell_score"][:] = np.nan
    assert "no cells with a score" in said(score_violins(scores))


def test_score_violins__draw_a_score_that_never_varies(scores):
    scores["cell_score"][:] = 2.0
    assert "higher at post in 0 of 3 patients" in said(score_violins(scores, stage="stage", order=["pre", "post"]))


def test_score_violins__asks_for_what_it_needs(scores):
    both = xr.concat([scores, scores.assign_coords(gene_set=["cycle"])], dim="gene_set")
    both = both.transpose("cell", "gene_set")
    with pytest.raises(ParameterError, match="needs the option 'gene_set'"):
        score_violins(both)
    assert "Score of cycle" in said(score_violins(both, gene_set="cycle"))
    with pytest.raises(ParameterError, match="must be one of: stemness"):
        score_violins(scores, gene_set="none")
    with pytest.raises(ParameterError, match=r"Got relapse; there are pre, post"):
        score_violins(scores, stage="stage", order=["pre", "relapse"])
    with pytest.raises(MissingVariableError, match="a cohort cube with that column"):
        score_violins(score_result())
    with pytest.raises(MissingVariableError, match="cell_score"):
        score_violins(scores.rename(cell_score="other"))
