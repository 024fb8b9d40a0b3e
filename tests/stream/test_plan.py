"""What a pass will cost, and the refusal of what cannot fit."""

from __future__ import annotations

import re

import dask
import dask.array as da
import pytest

from chemores_dask.errors import BlockTooLargeError, ChemoresError
from chemores_dask.memory import memory_budget, shared_pass
from chemores_dask.stream import plan as planning
from chemores_dask.stream.plan import Plan, check_fits, plan_rows


def rows(cells=10_000, genes=1000, block=2500):
    return da.zeros((cells, genes), chunks=(block, genes))


def test_plan_rows__measures_the_largest_block():
    ragged = da.zeros((100, 10), chunks=((20, 0, 70, 10), 10), dtype="int32")
    plan = plan_rows(ragged, memory_bytes=10**9)
    assert (plan.blocks, plan.rows_per_block) == (4, 70)
    assert plan.block_bytes == 70 * 10 * 8 + 4 * 71
    assert plan.task_bytes == plan.block_bytes + 70 * 10 * planning.KERNEL_BYTES


def test_plan_rows__uses_the_known_number_of_nonzeros_the_kernel_and_the_state():
    plan = plan_rows(rows(), nonzeros_per_row=50, state_bytes=1000, kernel_bytes=7, memory_bytes=10**9)
    assert plan.block_bytes == 2500 * 50 * 12 + 4 * 2501
    assert plan.task_bytes == plan.block_bytes + 2500 * 50 * 7 + 2000
    assert plan_rows(rows(), nonzeros_per_row=1e9).block_bytes == plan_rows(rows()).block_bytes


def test_plan_rows__counts_the_block_that_was_read_beside_what_is_made_of_it():
    counts = da.zeros((10_000, 1000), chunks=(2500, 1000), dtype="int32")
    known = {"nonzeros_per_row": 50, "kernel_bytes": 0, "memory_bytes": 10**9}
    straight = plan_rows(counts, nonzeros_per_block=2500 * 50, **known)
    assert straight.task_bytes == straight.block_bytes
    logarithms = plan_rows(counts.astype("float32"), nonzeros_per_block=2500 * 50, **known)
    assert logarithms.task_bytes == 2 * 2500 * 50 * 8 + 4 * 2501
    hungry = plan_rows(counts.astype("float32"), nonzeros_per_block=2500 * 50, **{**known, "kernel_bytes": 20})
    assert hungry.task_bytes == 2500 * 50 * (8 + 20) + 4 * 2501
    half = plan_rows(counts[::2], nonzeros_per_block=2500 * 50, **known)
    assert half.task_bytes == (2500 + 1250) * 50 * 8 + 4 * 1251


def test_plan_rows__counts_what_grows_with_the_cells_once():
    plain, kept = (plan_rows(rows(cells=4, block=2), kept_bytes=size) for size in (0, 10**6))
    assert kept.promised_bytes - kept.held_bytes == plain.promised_bytes - plain.held_bytes + 10**6
    assert kept.waiting_bytes == 10**6


def test_plan_rows__counts_the_states_that_wait():
    def waiting(blocks):
        few = {"nonzeros_per_row": 1, "state_bytes": 10**6}
        made = plan_rows(rows(cells=blocks, block=1), **few)
        return made.waiting_bytes

    assert [waiting(blocks) for blocks in (1, 8, 60)] == [0, 3 * 10**6, 6 * 10**6]


def test_plan_rows__counts_threads_but_no_more_than_blocks():
    with dask.config.set(num_workers=3):
        assert plan_rows(rows()).tasks_in_flight == 3
        assert plan_rows(rows(block=10_000)).tasks_in_flight == 1
        assert plan_rows(da.zeros((0, 5), chunks=(1, 5))).tasks_in_flight == 1


def test_plan_rows__takes_a_share_of_what_is_free(monkeypatch):
    monkeypatch.setattr(planning, "free_memory", lambda: 1_000_000)
    assert plan_rows(rows()).memory_bytes == 600_000
    with memory_budget(None):
        assert plan_rows(rows()).memory_bytes == 600_000


@pytest.fixture
def resident(monkeypatch):
    """Half a gigabyte that this process is said to hold, whatever it does hold."""
    monkeypatch.setattr(planning, "resident_bytes", lambda: 500_000_000)
    return 500_000_000


def test_plan_rows__takes_what_the_budget_leaves(resident):
    with memory_budget("3GB"):
        plan = plan_rows(rows())
    held = resident + planning.FIRST_PASS_BYTES
    assert plan.held_bytes == held
    assert plan.memory_bytes == 3 * 10**9 - held
    with memory_budget("1MB"):
        assert plan_rows(rows()).memory_bytes == 0


def test_plan_rows__runs_one_task_on_one_thread():
    with dask.config.set(scheduler="synchronous", num_workers=4):
        assert plan_rows(rows()).tasks_in_flight == 1


def test_check_fits__refuses_and_says_how_many_rows_would_fit():
    with dask.config.set(num_workers=2):
        plan = plan_rows(rows(), memory_bytes=50_000_000)
    with pytest.raises(
        BlockTooLargeError,
        match=r"2 tasks of 2,500 rows need 7\d\.\d MB; available are 50\.0 MB, besides [\d.]+ [MG]B that are held",
    ) as caught:
        check_fits(plan)
    fitting = int(re.search(r"rows_per_block=(\d+)", str(caught.value)).group(1))
    assert 1700 < fitting < 1800
    assert isinstance(caught.value, MemoryError)
    assert isinstance(caught.value, ChemoresError)
    with dask.config.set(num_workers=2):
        check_fits(plan_rows(rows(block=fitting), memory_bytes=50_000_000))


def test_check_fits__says_when_no_block_is_small_enough():
    with pytest.raises(BlockTooLargeError, match="Use fewer threads per worker"):
        check_fits(plan_rows(rows(), state_bytes=10**9, memory_bytes=10**8))


def test_check_fits__within_a_budget_runs_fewer_tasks_before_refusing():
    with dask.config.set(num_workers=4), memory_budget("100GB") as budget:
        plan = check_fits(plan_rows(rows(block=1000), memory_bytes=40_000_000))
        assert 40_000_000 / plan.task_bytes - 1 < plan.tasks_in_flight == 2
        assert dask.config.get("num_workers") == 2
        assert budget.promised_bytes == plan.held_bytes + 2 * plan.task_bytes
        with pytest.raises(BlockTooLargeError, match="1 task of"):
            check_fits(plan_rows(rows(block=10_000), memory_bytes=40_000_000))
    assert budget.promised_bytes == plan.promised_bytes


def test_check_fits__names_a_budget_that_does(resident):
    with (
        dask.config.set(num_workers=2),
        memory_budget("1MB"),
        pytest.raises(BlockTooLargeError, match=r"available are 0 bytes") as caught,
    ):
        check_fits(plan_rows(rows()))
    enough = re.search(r"a budget of at least ([\d.]+GB)", str(caught.value)).group(1)
    with dask.config.set(num_workers=2), memory_budget(enough) as budget:
        assert check_fits(plan_rows(rows())).tasks_in_flight == 2
    assert budget.promised_bytes <= budget.limit


def test_check_fits__counts_the_states_of_a_shared_pass_together():
    with shared_pass():
        alone = check_fits(plan_rows(rows(), state_bytes=10**6))
        beside = check_fits(plan_rows(rows(), state_bytes=10**6))
    assert beside.held_bytes - alone.held_bytes == pytest.approx((2 * alone.tasks_in_flight + 2) * 10**6, abs=10**6)


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
    assert plan.processes == 2


def test_plan_rows__gives_the_budget_to_each_worker(monkeypatch, resident):
    worker = {"nthreads": 2, "memory_limit": 4_000_000_000, "metrics": {"memory": 300_000_000}}
    monkeypatch.setattr(planning, "get_client", lambda: FakeClient(worker, worker))
    held = 300_000_000 + planning.FIRST_PASS_BYTES
    with memory_budget("1GB") as budget:
        plan = check_fits(plan_rows(rows()))
        assert plan.memory_bytes == 10**9 - held
    assert budget.promised_bytes == 2 * plan.promised_bytes + resident
    with memory_budget("100GB"):
        assert plan_rows(rows()).memory_bytes == 2_400_000_000


def test_plan_rows__of_a_cluster_without_workers_yet_looks_at_this_machine(monkeypatch):
    monkeypatch.setattr(planning, "get_client", FakeClient)
    assert plan_rows(rows()).tasks_in_flight == 1
