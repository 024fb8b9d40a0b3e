"""Arithmetic on one block: numpy, scipy.sparse and numba in, arrays out. No dask, no files, no labels."""
