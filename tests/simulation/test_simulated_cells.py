"""Cells and their counts."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
import scipy.sparse as sp
from scipy import stats

from chemores_dask.simulation.design import SimulationDesign
from chemores_dask.simulation.expression_profiles import MALIGNANT_STATES, STEM_CODE, sample_profiles
from chemores_dask.simulation.gene_panel import GROUPS, MITOCHONDRIAL_GROUP, RIBOSOMAL_GROUP
from chemores_dask.simulation.paired_patients import planned_samples
from chemores_dask.simulation.simulated_cells import (
    cell_barcodes,
    cell_ranges,
    cell_table,
    simulated_cells,
    simulated_counts,
)
from chemores_dask.simulation.write import cell_source

DESIGN = SimulationDesign()


def drawn(design, cells, *, seed=4, place=1):
    sample = planned_samples(design, seed=seed)[place]
    return sample, simulated_cells(sample, design=design, seed=seed, start=0, stop=cells)


def counts_of(design, cells, *, seed=4):
    source = cell_source(design, seed=seed)
    sample, described = drawn(design, cells, seed=seed)
    profiles = sample_profiles(
        source.profiles, design=design, seed=seed, patient=sample.patient, batch=sample.batch, sample=sample.name
    )
    return source.panel, described, simulated_counts(described, profiles)


def test_simulated_cells__do_not_depend_on_the_range():
    sample, whole = drawn(DESIGN, 100)
    part = simulated_cells(sample, design=DESIGN, seed=4, start=30, stop=47)
    for field in dataclasses.fields(whole):
        np.testing.assert_array_equal(getattr(part, field.name), getattr(whole, field.name)[30:47])


def test_simulated_cells__realize_the_planted_shares():
    for place in (0, 1):
        sample, cells = drawn(DESIGN, 30_000, place=place)
        malignant = int(cells.malignant.sum())
        stem_like = int(cells.stem_like.sum())
        assert stats.binomtest(malignant, 30_000, sample.malignant_share).pvalue > 1e-4
        assert stats.binomtest(stem_like, malignant, sample.stem_share).pvalue > 1e-4
        assert stats.binomtest(int(cells.damaged.sum()), 30_000, DESIGN.damaged_share).pvalue > 1e-4
        types = np.bincount(cells.states[~cells.malignant] - MALIGNANT_STATES, minlength=4)
        assert stats.chisquare(types, types.sum() * np.array(sample.normal_shares)).pvalue > 1e-4
        blasts = np.bincount(cells.states[cells.states < STEM_CODE], minlength=3)
        assert stats.chisquare(blasts, blasts.sum() * np.array(sample.blast_shares)).pvalue > 1e-4


def test_simulated_cells__lie_on_the_axis_as_planted():
    _, cells = drawn(DESIGN, 20_000)
    assert np.isnan(cells.axis[~cells.malignant]).all()
    first = DESIGN.axis_mean_after * DESIGN.axis_concentration
    beta = stats.beta(first, DESIGN.axis_concentration - first)
    assert stats.kstest(cells.axis[cells.malignant], beta.cdf).pvalue > 1e-4


def test_simulated_cells__cycle_less_where_stem_like():
    _, cells = drawn(DESIGN, 30_000)
    cycling = cells.phases > 0
    others = cells.malignant & ~cells.stem_like
    assert cycling[cells.stem_like].mean() == pytest.approx(DESIGN.stem_cycling_share, abs=0.015)
    assert cycling[others].mean() == pytest.approx(DESIGN.cycling_share, abs=0.015)


def test_simulated_cells__have_log_normal_depths():
    _, cells = drawn(dataclasses.replace(DESIGN, damaged_share=0.0), 20_000)
    logs = np.log(cells.depths)
    assert stats.kstest(logs, stats.norm(np.log(5500), 0.35).cdf).pvalue > 1e-4


def test_simulated_cells__of_a_null_design_carry_no_module():
    _, cells = drawn(DESIGN.null(), 2000)
    modules = [group for group in range(len(GROUPS)) if group not in (MITOCHONDRIAL_GROUP, RIBOSOMAL_GROUP)]
    assert np.all(cells.factors[:, modules] == 1)


def test_simulated_counts__resemble_tenx_data():
    panel, cells, counts = counts_of(DESIGN, 400)
    whole = ~cells.damaged
    totals = np.asarray(counts.sum(axis=1)).ravel()
    detected = np.diff(counts.indptr)
    assert 5000 < np.median(totals[whole]) < 6000
    assert 1500 < np.median(detected[whole]) < 2000
    symbols = panel.symbols.astype(str)
    mitochondrial = np.asarray(counts[:, np.char.startswith(symbols, "MT-")].sum(axis=1)).ravel() / totals
    ribosomal = np.asarray(counts[:, np.char.startswith(symbols, "RP")].sum(axis=1)).ravel() / totals
    assert 0.03 < np.median(mitochondrial[whole]) < 0.06
    assert 0.2 < np.median(ribosomal[whole]) < 0.3
    assert np.median(mitochondrial[~whole]) > 0.2


def test_simulated_counts__have_depths_around_the_planted_ones():
    _, cells, counts = counts_of(DESIGN, 400)
    totals = np.asarray(counts.sum(axis=1)).ravel()
    assert np.mean(totals / cells.depths) == pytest.approx(1, abs=0.01)
    assert np.std(totals / cells.depths) < 0.15


def test_simulated_counts__do_not_depend_on_blocks():
    design = SimulationDesign.tiny()
    source = cell_source(design, seed=4)
    sample = planned_samples(design, seed=4)[0]
    whole = sp.vstack(list(source.counts(sample)))
    for rows in (1, 7, 60):
        blocks = list(dataclasses.replace(source, rows_per_block=rows).counts(sample))
        assert len(blocks) == -(-60 // rows)
        again = sp.vstack(blocks)
        assert (again != whole).nnz == 0


def test_simulated_counts__move_with_the_axis_and_the_state():
    design = dataclasses.replace(DESIGN, genes=2000, depth_median=20_000.0)
    panel, cells, counts = counts_of(design, 1500)
    logs = np.log1p(counts.toarray() / np.asarray(counts.sum(axis=1)) * 1e4)
    resistance = logs[:, panel.positions(("KCNMA1", "KIF21A", "PDPN", "ADIRF", "PRELP", "PHEX", "COL9A2"))].mean(axis=1)
    assert np.corrcoef(resistance[cells.malignant], cells.axis[cells.malignant])[0, 1] > 0.6
    stemness = logs[:, panel.positions(("CD44", "CD27", "ITGB7", "BCL2", "BCL6", "MCL1", "NOTCH1"))].mean(axis=1)
    assert stemness[cells.stem_like].mean() > stemness[~cells.stem_like].mean() + 3 * stemness[~cells.stem_like].std()


def test_cell_barcodes__are_unique_and_look_like_tenx():
    barcodes = cell_barcodes(0, 200_000)
    assert len(np.unique(barcodes)) == 200_000
    assert re.fullmatch(r"[ACGT]{16}-1", barcodes[77].decode())
    np.testing.assert_array_equal(cell_barcodes(50, 60), barcodes[50:60])


def test_cell_ranges__cover_every_cell_once():
    assert list(cell_ranges(10, rows_per_block=4)) == [(0, 4), (4, 8), (8, 10)]
    assert list(cell_ranges(4, rows_per_block=4)) == [(0, 4)]


def test_cell_table__tells_each_cell():
    sample, cells = drawn(DESIGN, 50)
    table = cell_table(cells, sample=sample.name, start=0)
    assert table["barcode"].tolist() == [barcode.decode() for barcode in cell_barcodes(0, 50)]
    assert (table["malignant"].astype(bool) == ~table["state"].isin(["t_cell", "b_cell", "monocyte", "stroma"])).all()
    assert table.loc[table["malignant"] == 0, "axis"].isna().all()
