"""What a step does where something it needs is not there."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType
from typing import NoReturn

import chemores_dask
from benchmarks.measurement import ABSENT_RETURN_CODE


def give_up(reason: str) -> NoReturn:
    """End the step: it is recorded as not available, with the reason."""
    sys.stderr.write(reason + "\n")
    raise SystemExit(ABSENT_RETURN_CODE)


def need_doors(*names: str) -> None:
    """End the step unless the package has these functions."""
    missing = [name for name in names if name not in dir(chemores_dask)]
    if missing:
        give_up(f"chemores_dask has no {', '.join(missing)}")


def need_package(name: str) -> ModuleType:
    """Import a rival, or end the step."""
    if find_spec(name) is None:
        give_up(f"{name} is not installed (make bench installs it on Python 3.12 and newer)")
    return import_module(name)
