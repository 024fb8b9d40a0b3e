"""What a pass will cost, and the refusal of what cannot fit."""

from __future__ import annotations

import re

import dask
import dask.array as da
import pytest

from chemores_dask.errors import BlockTooLargeError, ChemoresError
from chemores_dask.stream import plan as planning
from chemores_dask.stream.plan import Plan, check_fits, plan_rows


def rows(cells=10_000, genes=1000, block=2500):
    return da.zeros((cells, genes), chunks=(block, genes))


def test_plan_rows__measures_the_largest_block():
    ragged = da.zeros((100, 10), chunks=((20, 0, 70, 10), 10))
    plan = plan_rows(ragged, memory_bytes=10**9)
    assert (plan.blocks, plan.rows_per_block) == (4, 70)
    assert plan.block_bytes == 70 * 10 * 8 + 4 * 71
    assert plan.task_bytes == 3 * plan.block_bytes


def test_plan_rows__uses_the_known_number_of_nonzeros_and_the_state():
    plan = plan_rows(rows(), nonzeros_per_row=50, state_bytes=1000, memory_bytes=10**9)
    assert plan.block_bytes == 2500 * 50 * 8 + 4 * 2501
    assert plan.task_bytes == 3 * plan.block_bytes + 2000
    assert plan_rows(rows(), nonzeros_per_row=1e9).block_bytes == plan_rows(rows()).block_bytes


def test_plan_rows__counts_threads_but_no_more_than_blocks():
    with dask.config.set(num_workers=3):
        assert plan_rows(rows()).tasks_in_flight == 3
        assert plan_rows(rows(block=10_000)).tasks_in_flight == 1
        assert plan_rows(da.zeros((0, 5), chunks=(1, 5))).tasks_in_flight == 1


def test_plan_rows__reads_the_limit_of_a_control_group(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(planning, "CGROUP_LIMITS", (tmp_path / "absent", limit))
    limit.write_text("1000000\n")
    assert plan_rows(rows()).memory_bytes == 600_000
    limit.write_text("max\n")
    assert plan_rows(rows()).memory_bytes > 600_000


def test_check_fits__refuses_and_says_how_many_rows_would_fit():
    with dask.config.set(num_workers=2):
        plan = plan_rows(rows(), memory_bytes=50_000_000)
    with pytest.raises(
        BlockTooLargeError, match=r"2 tasks of 2,500 rows need 0\.12 GB; available are 0\.05 GB"
    ) as caught:
        check_fits(plan)
    fitting = int(re.search(r"rows_per_block=(\d+)", str(caught.value)).group(1))
    assert 1000 < fitting < 1100
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, ChemoresError)
    with dask.config.set(num_workers=2):
        check_fits(plan_rows(rows(block=fitting), memory_bytes=50_000_000))


def test_check_fits__says_when_no_block_is_small_enough():
    with pytest.raises(BlockTooLargeError, match="Use fewer threads per worker"):
        check_fits(plan_rows(rows(), state_bytes=10**9, memory_bytes=10**8))


def test_check_fits__accepts_what_fits_exactly():
    check_fits(Plan(blocks=1, rows_per_block=1, block_bytes=10, task_bytes=30, tasks_in_flight=2, memory_bytes=60))


class FakeClient:
    def __init__(self, *workers):
        self.workers = {f"worker-{place}": worker for place, worker in enumerate(workers)}

    def scheduler_info(self, n_workers):
        assert n_workers == -1, "all workers, not the first five"
        return {"workers": self.workers}


def test_plan_rows__asks_the_smallest_worker_of_a_cluster(monkeypatch):
    large = {"nthreads": 2, "memory_limit": 4_000_000_000}
    small = {"nthreads": 3, "memory_limit": 1_000_000_000}
    monkeypatch.setattr(planning, "get_client", lambda: FakeClient(large, small))
    plan = plan_rows(rows())
    assert plan.tasks_in_flight == 3
    assert plan.memory_bytes == 600_000_000


def test_plan_rows__of_a_cluster_without_workers_yet_looks_at_this_machine(monkeypatch):
    monkeypatch.setattr(planning, "get_client", FakeClient)
    assert plan_rows(rows()).tasks_in_flight == 1
