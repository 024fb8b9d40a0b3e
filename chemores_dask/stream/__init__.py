"""Three verbs that walk over rows, and the plan that says whether they fit."""

from chemores_dask.stream.columns import scan_columns
from chemores_dask.stream.compute import compute
from chemores_dask.stream.plan import Plan, check_fits, plan_rows
from chemores_dask.stream.reduce import reduce_rows
from chemores_dask.stream.rows import as_rows, map_rows
from chemores_dask.stream.shared_pass import share_passes

__all__ = [
    "Plan",
    "as_rows",
    "check_fits",
    "compute",
    "map_rows",
    "plan_rows",
    "reduce_rows",
    "scan_columns",
    "share_passes",
]
