from __future__ import annotations

from chemores_dask.figures.selection_frequencies import selection_frequencies
from chemores_dask.testing.nouns import tiny_patients
from chemores_dask.testing.signature_nouns import tiny_stability


def test_selection_frequencies__draws_probabilities_and_the_cut_off():
    found = tiny_stability(tiny_patients())
    lines = selection_frequencies(found, genes=4).axes[0].lines
    dots = {line.get_gid(): line.get_xdata()[0] for line in lines if str(line.get_gid()).startswith("gene-")}
    expected = found["stability_probability"].to_series().nlargest(4)
    assert len(dots) == 4
    assert dots["gene-" + expected.index[0]] == expected.iloc[0]
    assert [line.get_xdata()[0] for line in lines if line.get_gid() == "cutoff"] == [0.75]
