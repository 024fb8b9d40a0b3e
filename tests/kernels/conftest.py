"""What the pass without numba leaves out: simulations that run for minutes as plain Python, and whose kernels others run there."""

from __future__ import annotations

import pytest
from numba import config


def pytest_collection_modifyitems(items):
    if config.DISABLE_JIT:
        for item in items:
            if item.get_closest_marker("compiled"):
                item.add_marker(pytest.mark.skip(reason="takes too long as plain Python"))
