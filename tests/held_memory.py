"""Budgets beside what the process that runs the tests happens to hold: little at first, gigabytes after thousands of tests."""

from __future__ import annotations

import math

from chemores_dask.memory import FIRST_PASS_BYTES, resident_bytes, size_in_bytes

HUNDRED_MEGABYTES = 10**8


def budget_with_room(room: int | str) -> int:
    """A budget that leaves so much for tasks, and up to 100 MB more, whatever is held: a multiple of 100 MB."""
    size = resident_bytes() + FIRST_PASS_BYTES + size_in_bytes(room)
    return HUNDRED_MEGABYTES * math.ceil(size / HUNDRED_MEGABYTES)
