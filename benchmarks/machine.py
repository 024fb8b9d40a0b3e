"""The machine and the versions behind a measurement."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import psutil

PACKAGES = (
    "chemores-dask",
    "anndata",
    "dask",
    "distributed",
    "h5py",
    "numba",
    "numcodecs",
    "numpy",
    "pandas",
    "scanpy",
    "scipy",
    "snapatac2",
    "zarr",
    "zarrs",
)


def machine() -> dict[str, object]:
    """Processor, cores, memory, date, and the versions of everything that was measured; empty where a package is not installed."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "processor": processor(),
        "cores": psutil.cpu_count(),
        "memory_gb": round(psutil.virtual_memory().total / 2**30, 1),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }


def load() -> float:
    """Mean number of running processes over the last minute."""
    return round(os.getloadavg()[0], 2)


def version(package: str) -> str:
    """The installed version of a package; empty if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def processor(facts: Path = Path("/proc/cpuinfo")) -> str:
    """The model of the processor, or its architecture where the system does not tell."""
    lines = facts.read_text().splitlines() if facts.is_file() else []
    models = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()
