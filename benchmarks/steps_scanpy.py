"""The same steps in scanpy, in memory."""

from __future__ import annotations

from benchmarks.absent import need_package
from benchmarks.one_step import Clock, Place
from benchmarks.steps_ours import COMPONENTS, VARIABLE_GENES, keep_check

TARGET_SUM = 1e4
MITOCHONDRIAL = "MT-"


def chain(place: Place, clock: Clock) -> None:
    """Open, quality, variable genes of the counts, normalize and log, exact components."""
    sc = need_package("scanpy")
    with clock("open"):
        cells = sc.read_h5ad(place.h5ad)
    with clock("quality"):
        cells.var["mt"] = cells.var_names.str.startswith(MITOCHONDRIAL)
        sc.pp.calculate_qc_metrics(cells, qc_vars=["mt"], percent_top=None, log1p=False, inplace=True)
    with clock("variable genes"):
        sc.pp.highly_variable_genes(cells, flavor="seurat_v3", n_top_genes=VARIABLE_GENES)
    with clock("normalize"):
        sc.pp.normalize_total(cells, target_sum=TARGET_SUM)
        sc.pp.log1p(cells)
    with clock("pca"):
        sc.pp.pca(cells, n_comps=COMPONENTS, svd_solver="covariance_eigh")
    keep_check(
        place,
        "scanpy",
        genes=cells.var_names[cells.var["highly_variable"]].tolist(),
        variance=cells.uns["pca"]["variance"].tolist(),
    )
