"""Analyses of patients: Datasets in, Datasets out. The patient is the replicate here, never the cell."""
