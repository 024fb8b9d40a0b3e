"""Sets as lists of columns, and what is refused before rows are ranked."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import xarray as xr

from chemores_dask.errors import BlockTooLargeError, GeneMismatchError, InputError
from chemores_dask.gene_sets import GeneSet
from chemores_dask.memory import memory_budget, resident_bytes
from chemores_dask.scores.expression_rows import expression_rows
from chemores_dask.scores.ranked_sets import check_ranked_rows, side_columns, up_less_down

GENES = ["A", "B", "C", "D"]


@pytest.fixture
def cells():
    return anndata.AnnData(sp.csr_matrix(np.eye(4)), var=pd.DataFrame(index=GENES))


def test_side_columns__are_up_and_down_of_each_set(cells):
    found = expression_rows(cells, caller="ssgsea")
    sides = side_columns([GeneSet("first", ("D", "A"), ("B",)), GeneSet("second", ("C",))], found, caller="ssgsea")
    assert sides.sizes.tolist() == [2, 1, 1, 0]
    assert [sides.members[sides.starts[column]].item() for column in range(4)] == [0, 1, 2, 0]
    with pytest.raises(GeneMismatchError, match="'all' holds all 4 genes"):
        side_columns([GeneSet("all", (), tuple(GENES))], found, caller="ssgsea")


def test_up_less_down__takes_pairs_of_lists():
    np.testing.assert_array_equal(up_less_down(np.array([[5.0, 1.0, 0.0, 7.0]])), [[4.0, -7.0]])


def test_check_ranked_rows__lists_what_is_not_known(cells):
    matrix = np.ones((3, 4))
    matrix[1, 2] = np.nan
    patients = xr.Dataset(
        {"expression": (("patient", "gene"), matrix)}, coords={"patient": ["p", "q", "r"], "gene": GENES}
    )
    with pytest.raises(InputError, match=r"ssgsea ranks .* 1 of 3 patients \(q\) and 1 of 4 genes \(C\)"):
        check_ranked_rows(expression_rows(patients, caller="ssgsea"), sums=1, caller="ssgsea")
    check_ranked_rows(expression_rows(patients.fillna(0.0), caller="ssgsea"), sums=1, caller="ssgsea")
    check_ranked_rows(expression_rows(cells, caller="ssgsea"), sums=1, caller="ssgsea")


def test_check_ranked_rows__refuses_sums_that_do_not_fit(cells):
    with memory_budget(resident_bytes() + 2**30):
        found = expression_rows(cells, caller="ssgsea")
        with pytest.raises(BlockTooLargeError):
            check_ranked_rows(found, sums=2**32, caller="ssgsea")
