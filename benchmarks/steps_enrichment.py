"""Preranked enrichment of as many gene sets as gene ontology has, here and in gseapy, on the same ranking."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr

import chemores_dask as cd
from benchmarks.absent import need_doors, need_package
from benchmarks.one_step import WARM, Clock, Place
from benchmarks.steps_ours import SEED, keep_check

GENES = 20_000
SETS, WARM_SETS = 6_482, 40
SMALLEST, LARGEST = 10, 500
LOG_MEAN, LOG_SPREAD = 3.675, 1.02
"""Of the sizes of the sets of biological processes with 10 to 500 genes: their median is 32, a tenth has more than 184 genes."""

SHIFTED, SHIFT = 0.05, 0.5
"""Share of sets whose genes go up or down, and by how many standard deviations."""

PERMUTATIONS = 1_000
WEIGHT = 1.0
CHECKED = 200


def ours(place: Place, clock: Clock) -> None:
    """All sets, small P values by splitting."""
    need_doors("prerank_enrichment")
    ranking, sets = _inputs(place)
    with clock("enrichment"):
        found = cd.prerank_enrichment(ranking, sets, statistic="t", weight=WEIGHT, permutations=PERMUTATIONS, seed=SEED)
    clock.facts["split_sets"] = int((found["prerank_p_method"].values == 1).sum())
    one = found.isel(gene_set=slice(0, CHECKED))
    _keep(place, "enrichment_ours", one["gene_set"].values, one["prerank_score"].values, one["prerank_p_value"].values)


def gseapy(place: Place, clock: Clock) -> None:
    """The same in gseapy, on all cores."""
    peer = need_package("gseapy")
    ranking, sets = _inputs(place)
    table = pd.Series(ranking.values, index=ranking["gene"].values).sort_values(ascending=False)
    listed = {gene_set.name: list(gene_set.up) for gene_set in sets}
    with clock("enrichment"):
        found = peer.prerank(
            rnk=table, gene_sets=listed, min_size=5, max_size=10_000, weight=WEIGHT, permutation_num=PERMUTATIONS, seed=SEED,
            threads=2, ascending=None, no_plot=True, outdir=None,
        ).res2d.set_index("Term")  # fmt: skip
    names = list(listed)[:CHECKED]
    one = found.loc[names]
    _keep(place, "enrichment_gseapy", names, one["ES"].astype(float), one["NOM p-val"].astype(float))


def _inputs(place: Place) -> tuple[xr.DataArray, cd.GeneSets]:
    """A ranking, and sets of which some go up or down; few sets where everything is only tried."""
    draws = np.random.default_rng(SEED)
    number = WARM_SETS if place.folder.name == WARM else SETS
    names = np.array([f"GENE{gene:05d}" for gene in range(GENES)])
    sizes = np.clip(np.round(draws.lognormal(LOG_MEAN, LOG_SPREAD, number)), SMALLEST, LARGEST).astype(int)
    members = [draws.choice(GENES, size, replace=False) for size in sizes]
    statistic = draws.normal(size=GENES)
    for genes in members[: int(SHIFTED * number)]:
        statistic[genes] += draws.choice([-SHIFT, SHIFT])
    order = draws.permutation(number)
    sets = cd.GeneSets.from_mapping({f"SET{one:04d}": names[members[one]].tolist() for one in order})
    return xr.DataArray(statistic, dims="gene", coords={"gene": names}, name="t"), sets


def _keep(place: Place, name: str, sets: object, scores: object, p_values: object) -> None:
    keep_check(
        place,
        name,
        sets=[str(one) for one in np.asarray(sets)],
        score=np.asarray(scores, dtype=float).tolist(),
        p_value=np.asarray(p_values, dtype=float).tolist(),
    )
