"""From the files of a laboratory to the cells and patients of a store."""

from chemores_dask.ingest.clinical_tables import ClinicalColumns
from chemores_dask.ingest.convert import ingest
from chemores_dask.ingest.gmt_file import read_gmt
from chemores_dask.ingest.ingest_report import IngestProgress, IngestReport
from chemores_dask.ingest.options import IngestOptions
from chemores_dask.ingest.patient_cohort import ingest_patients

__all__ = [
    "ClinicalColumns",
    "IngestOptions",
    "IngestProgress",
    "IngestReport",
    "ingest",
    "ingest_patients",
    "read_gmt",
]
