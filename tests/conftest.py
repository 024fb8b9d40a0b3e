"""Fixtures that every test may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

DEFAULT_REFERENCE = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def reference_folder() -> Path:
    """The folder with real data and expected values; tests that need it skip where it is absent."""
    folder = Path(os.environ.get("CHEMORES_REFERENCE", DEFAULT_REFERENCE))
    if not (folder / "reference").is_dir():
        pytest.skip(f"needs the reference data (set CHEMORES_REFERENCE to its folder; looked in {folder})")
    return folder
