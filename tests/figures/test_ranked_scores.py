"""Cells in the order of their score."""

from __future__ import annotations

import numpy as np
import pytest

from chemores_dask.errors import ParameterError
from chemores_dask.figures.ranked_scores import ranked_scores
from tests.figures.drawn import by_name, said
from tests.figures.examples_of_results import cube_result, score_result, states_result


def test_ranked_scores__rise_and_are_cut_at_the_threshold():
    figure = ranked_scores(score_result(), states=states_result())
    (curve,) = by_name(figure, "ranks")
    assert (np.diff(curve.get_ydata()) >= 0).all()
    (above,) = by_name(figure, "above")
    assert above.get_ydata().min() >= 0.55
    (line,) = by_name(figure, "threshold")
    assert line.get_ydata()[0] == 0.55


def test_ranked_scores__bars_are_shares_of_patients():
    scores = score_result()
    figure = ranked_scores(scores, states=states_result(), by="patient", cube=cube_result())
    patient = np.array([name.split("-")[0] for name in scores["cell"].values])
    values = scores["cell_score"].values[:, 0]
    shares = [(values[patient == name] >= 0.55).mean() for name in sorted(set(patient))]
    drawn = [bar.get_width() for bar in figure.axes[1].patches]
    np.testing.assert_allclose(sorted(drawn), sorted(shares))
    positive = sum(share >= 0.05 for share in shares)
    assert f"{positive} of {len(shares)} patients have at least 5 %" in said(figure)
    assert f"n = {len(shares)} patients" in said(figure)
    counted = [int(text.split(": ")[1]) for text in said(figure).split("\n") if " %: " in text]
    assert sum(counted) == len(shares)


def test_ranked_scores__class_borders_are_those_published():
    # More than 15 %, 5 to 15 %, less than 5 %: 3 of 20 are in the middle class, none are not detected.
    scores, states = score_result(3, 20), states_result(3, 20)
    scores["cell_score"][:] = 0.0
    scores["cell_score"][20:23] = 1.0
    scores["cell_score"][40:44] = 1.0
    text = said(ranked_scores(scores, states=states))
    assert [f"{name}: 1" in text for name in ("above 15 %", "5 to 15 %", "below 5 %")] == [True] * 3
    assert text.count("not detected") == 1
    assert "2 of 3 samples" in text


def test_ranked_scores__says_where_the_threshold_comes_from():
    states = states_result()
    assert "natural breaks of these scores" in said(ranked_scores(score_result(), states=states))
    states.attrs["threshold_source"] = "frozen"
    assert "(frozen)" in said(ranked_scores(score_result(), states=states))


def test_ranked_scores__refuses_too_many_bars_and_unknown_scores():
    with pytest.raises(ParameterError, match=r"at most 60\. Found 61"):
        ranked_scores(score_result(61, 2), states=states_result(61, 2))
    with pytest.raises(ParameterError, match="must be one of"):
        ranked_scores(score_result(), states=states_result(), gene_set="none")


def test_ranked_scores__says_that_there_is_nothing():
    assert "no cells" in said(ranked_scores(score_result().isel(cell=[]), states=states_result()))
