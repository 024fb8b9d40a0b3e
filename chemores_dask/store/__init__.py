"""Cells, patients and results on disk, as zarr that others can read."""
