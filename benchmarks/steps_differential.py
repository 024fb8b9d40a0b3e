"""Paired differential expression on simulated pseudobulk: 3,000 samples of 1,500 patients, and a table that pydeseq2 ends, too."""

from __future__ import annotations

import warnings

import numpy as np
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place
from benchmarks.steps_ours import SEED, keep_check

SAMPLES, GENES = 3_000, 20_000
PEER_SAMPLES, PEER_GENES = 40, 4_000
WARM_SAMPLES, WARM_GENES = 12, 200
CHANGED, CHANGE = 0.05, 1.0
"""Share of genes that change from stage to stage, and by how much (log2)."""

DISPERSION = 0.2
EXPRESSED = 10.0
"""Genes with more log2 counts per million than this are held against the peer."""


def negative_binomial(place: Place, clock: Clock) -> None:
    """The whole table, by quasi-likelihood."""
    _whole(place, clock, "negative_binomial")


def voom(place: Place, clock: Clock) -> None:
    """The whole table, by moderated t."""
    _whole(place, clock, "voom")


def beside_peer(place: Place, clock: Clock) -> None:
    """The smaller table."""
    need_doors("differential_expression")
    table = _table(place, PEER_SAMPLES, PEER_GENES)
    with clock("differential expression"):
        found = _test(table, "negative_binomial")
    shown = found["differential_mean"].values > EXPRESSED
    _keep(place, "differential_ours", table["gene"].values[shown], found["differential_log_fold_change"].values[shown])


def pydeseq2(place: Place, clock: Clock) -> None:
    """The smaller table in pydeseq2, on all cores."""
    need_package("pydeseq2")
    dds, ds = need_package("pydeseq2.dds"), need_package("pydeseq2.ds")
    table = _table(place, PEER_SAMPLES, PEER_GENES)
    counts = table["pseudobulk_count"].to_pandas()
    counts = counts.loc[:, counts.sum() > 0]
    samples = table[["patient", "stage"]].to_dataframe()[["patient", "stage"]]
    with clock("differential expression"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        data = dds.DeseqDataSet(counts=counts, metadata=samples, design="~ patient + stage", quiet=True, n_cpus=2)
        data.deseq2()
        tests = ds.DeseqStats(data, contrast=["stage", "b", "a"], quiet=True, n_cpus=2)
        tests.summary()
    found = tests.results_df["log2FoldChange"]
    _keep(place, "differential_pydeseq2", found.index.to_numpy(), found.to_numpy())


def _whole(place: Place, clock: Clock, method: str) -> None:
    need_doors("differential_expression")
    table = _table(place, SAMPLES, GENES)
    with clock("differential expression"):
        found = _test(table, method)
    clock.facts["genes_tested"] = int(found["differential_genes_tested"])


def _test(table: xr.Dataset, method: str) -> xr.Dataset:
    return cd.differential_expression(table, formula="~ patient + stage", contrast="stage[T.b]", method=method)


def _table(place: Place, samples: int, genes: int) -> xr.Dataset:
    """Pairs of samples; genes differ from patient to patient."""
    if place.folder.name == WARM:
        samples, genes = WARM_SAMPLES, WARM_GENES
    draws = np.random.default_rng(SEED)
    level = draws.lognormal(4.5, 1.5, genes)
    change = np.where(draws.random(genes) < CHANGED, CHANGE, 0.0)
    counts = np.empty((samples, genes), dtype=np.int64)
    for first in range(0, samples, 2):
        own = level * draws.lognormal(0, 0.4, genes)
        for stage in (0, 1):
            mean = own * 2.0 ** (stage * change) * draws.lognormal(0, 0.3)
            counts[first + stage] = draws.poisson(mean * draws.gamma(1 / DISPERSION, DISPERSION, genes))
    number = np.arange(samples)
    return xr.Dataset(
        {
            "pseudobulk_count": (("sample", "gene"), counts),
            "pseudobulk_cells": ("sample", np.full(samples, 100)),
            "pseudobulk_used": ("sample", np.ones(samples, dtype=bool)),
        },
        coords={
            "sample": [f"S{one:04d}" for one in number],
            "gene": [f"G{gene:05d}" for gene in range(genes)],
            "patient": ("sample", np.array([f"P{one // 2:04d}" for one in number], dtype=object)),
            "stage": ("sample", np.where(number % 2 == 1, "b", "a").astype(object)),
        },
    )


def _keep(place: Place, name: str, genes: np.ndarray, change: np.ndarray) -> None:
    keep_check(place, name, genes=[str(gene) for gene in genes], change=np.asarray(change, dtype=float).tolist())
