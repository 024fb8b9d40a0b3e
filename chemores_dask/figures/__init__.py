"""Pictures: results in, matplotlib figures out. Nothing is shown, nothing global is changed; :mod:`~chemores_dask.figures.gallery`
lists them."""
