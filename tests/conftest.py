"""Fixtures that every test may use, and the order of the files."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

DEFAULT_REFERENCE = Path(__file__).resolve().parents[2] / "shared"


def pytest_collection_modifyitems(items):
    """Long files first, then by number of tests: what comes last is short, and no worker waits long for another."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    tests = Counter(item.path for item in items)
    items.sort(key=lambda item: (item.path not in slow, -tests[item.path], item.path))


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """The folder with real data and expected values; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CHEMORES_REFERENCE", DEFAULT_REFERENCE))
    if not (folder / "reference").is_dir():
        pytest.skip(f"needs the reference data (set CHEMORES_REFERENCE to its folder; looked in {folder})")
    return folder
