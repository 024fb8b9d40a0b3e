"""Tests of what is checked before anything is written."""

from __future__ import annotations

from pathlib import Path

import anndata
import pandas as pd
import pytest
import scipy.sparse as sp

from chemores_dask.errors import InputError, MissingVariableError
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.sample_plans import plan_ingest
from chemores_dask.ingest.sample_sheet import read_sample_sheet


@pytest.fixture
def merged(counts, barcodes, genes, tmp_path: Path) -> Path:
    obs = pd.DataFrame({"donor": pd.Categorical(["p1", "p2"] * 20), "age": range(40)}, index=barcodes)
    anndata.AnnData(X=counts, obs=obs, var=genes.set_index("gene_symbol")[["gene_id"]].rename_axis(None)).write_h5ad(
        tmp_path / "m.h5ad"
    )
    return tmp_path / "m.h5ad"


def plan(rows: list[dict[str, object]], **options: object):
    return plan_ingest(read_sample_sheet(pd.DataFrame(rows)), IngestOptions(**options))


def test_plan_ingest__holds_one_table_for_equal_references(counts, tmp_path: Path, write_h5) -> None:
    rows = [{"sample": name, "path": write_h5(tmp_path / f"{name}.h5", counts)} for name in "abc"]
    found = plan(rows)
    assert len({id(sample.selection) for sample in found.samples}) == 1
    assert len({id(position) for position in found.dictionary.positions}) == 1
    assert [sample.cells for sample in found.samples] == [{"a": 40}, {"b": 40}, {"c": 40}]


def test_plan_ingest__splits_by_a_column(merged: Path) -> None:
    assert plan([{"sample": "m", "path": merged, "split_by": "donor"}]).samples[0].cells == {"p1": 20, "p2": 20}
    assert plan([{"sample": "m-{}", "path": merged, "split_by": "donor"}]).samples[0].cells == {"m-p1": 20, "m-p2": 20}
    with pytest.raises(MissingVariableError, match="Present: age, donor"):
        plan([{"sample": "m", "path": merged, "split_by": "patient"}])


def test_plan_ingest__refuses_a_sample_in_two_files(merged: Path, counts, tmp_path: Path, write_h5) -> None:
    with pytest.raises(InputError, match="'p1' is in"):
        plan(
            [
                {"sample": "p1", "path": write_h5(tmp_path / "a.h5", counts)},
                {"sample": "m", "path": merged, "split_by": "donor"},
            ]
        )


def test_plan_ingest__refuses_cells_without_a_sample(counts, barcodes, tmp_path: Path) -> None:
    obs = pd.DataFrame({"donor": pd.Categorical([None, "p2"] * 20)}, index=barcodes)
    anndata.AnnData(X=counts, obs=obs).write_h5ad(tmp_path / "m.h5ad")
    with pytest.raises(InputError, match="20 cells without one"):
        plan([{"sample": "m", "path": tmp_path / "m.h5ad", "split_by": "donor"}])


def test_plan_ingest__refuses_repeated_barcodes(counts, barcodes, tmp_path: Path, write_h5) -> None:
    path = write_h5(tmp_path / "a.h5", counts, barcodes=[*barcodes[:-1], barcodes[0]])
    with pytest.raises(InputError, match="more than once: CELL00-1"):
        plan([{"sample": "a", "path": path}])


def test_plan_ingest__refuses_empty_samples(counts, tmp_path: Path, write_h5) -> None:
    with pytest.raises(InputError, match="has no cells"):
        plan([{"sample": "a", "path": write_h5(tmp_path / "a.h5", counts[:0], barcodes=[])}])
    empty = sp.csr_matrix(counts.shape, dtype=counts.dtype)
    with pytest.raises(InputError, match="has no counts"):
        plan([{"sample": "b", "path": write_h5(tmp_path / "b.h5", empty)}])


def test_plan_ingest__refuses_columns_that_are_nowhere_or_twice(merged: Path) -> None:
    with pytest.raises(MissingVariableError, match="No file has: patient_id"):
        plan([{"sample": "m", "path": merged}], keep_columns={"patient_id": "patient"})
    with pytest.raises(InputError, match="both give: patient"):
        plan([{"sample": "m", "path": merged, "patient": "p"}], keep_columns={"donor": "patient"})


@pytest.mark.parametrize("kept", [{"donor": "who", "age": "who"}, {"donor": "cell_key"}])
def test_plan_ingest__refuses_kept_columns_that_would_overwrite_others(merged: Path, kept: dict[str, str]) -> None:
    with pytest.raises(InputError, match="names of their own"):
        plan([{"sample": "m", "path": merged}], keep_columns=kept)
