"""Pictures: results in, matplotlib figures out; :mod:`~chemores_dask.figures.gallery` lists them.

Nothing is shown, and nothing global is changed.
"""
