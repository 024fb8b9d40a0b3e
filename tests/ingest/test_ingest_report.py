"""Tests of the report of an ingest."""

from __future__ import annotations

from pathlib import Path

from chemores_dask.ingest.gene_dictionary import GeneReport
from chemores_dask.ingest.ingest_report import IngestReport, SourceReport
from chemores_dask.provenance import canonical_json


def test_ingest_report__adds_up_and_is_plain() -> None:
    sources = tuple(
        SourceReport(
            sample=name,
            path=f"{name}.h5",
            format="10x_h5",
            place="matrix",
            cells={f"{name}1": 3, f"{name}2": 4},
            features=9,
            genes=8,
            nonzeros=20,
            total=50,
            set_aside={"Antibody Capture": 1},
        )
        for name in "ab"
    )
    report = IngestReport(Path("s.zarr"), sources, GeneReport("gene_id", 8, 8, 0))
    assert (report.cells, report.nonzeros) == (14, 40)
    assert report.table()["cells"].tolist() == [7, 7]
    assert report.table()["set_aside"].tolist() == [1, 1]
    assert '"cells":{"a1":3,"a2":4}' in canonical_json(report.to_dict())
