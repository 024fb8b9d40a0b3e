"""Tiny inputs and one example call per analysis, for the battery that runs over all of them."""
