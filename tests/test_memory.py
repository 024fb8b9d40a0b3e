"""Sizes, what is free, and budgets."""

from __future__ import annotations

from contextlib import suppress
from types import SimpleNamespace

import dask
import psutil
import pytest

from chemores_dask import memory
from chemores_dask.errors import BlockTooLargeError, ParameterError
from chemores_dask.memory import (
    FIRST_PASS_BYTES,
    current_budget,
    free_memory,
    keep_beside_others,
    memory_budget,
    plan_tasks,
    resident_bytes,
    share_of_others,
    shared_pass,
    size_in_bytes,
    threads,
    values_per_block,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("4GB", 4 * 10**9),
        ("4 gb", 4 * 10**9),
        ("1.5GiB", 3 * 2**29),
        (" 500MiB ", 500 * 2**20),
        ("2kB", 2000),
        ("1TB", 10**12),
        ("12B", 12),
        ("12", 12),
        (12, 12),
    ],
)
def test_size_in_bytes__reads_what_people_write(text, size):
    assert size_in_bytes(text) == size


@pytest.mark.parametrize("wrong", ["", "GB", "4 G B", "4XB", "-4GB", "0GB", 0, -1, True, None, 4.5, "nanGB", "1e3MB"])
def test_size_in_bytes__refuses_the_rest(wrong):
    with pytest.raises(ParameterError, match="such as 4GB or 500MiB"):
        size_in_bytes(wrong)


def test_resident_bytes__is_that_of_this_process():
    assert resident_bytes() == pytest.approx(psutil.Process().memory_info().rss, rel=0.1)


def test_memory_budget__is_current_inside_only():
    assert current_budget() is None
    with memory_budget("1GB") as budget:
        assert current_budget() is budget
        assert budget.limit == 10**9
    assert current_budget() is None


def test_memory_budget__within_another_takes_the_smaller_and_tells_it_what_was_promised():
    with memory_budget("1GB") as outer:
        with memory_budget("2GB") as inner:
            assert inner.limit == 10**9
            inner.promise(7)
        with memory_budget("1MB") as inner:
            assert inner.limit == 10**6
        with memory_budget(None) as inner:
            assert inner.limit == 10**9
            inner.promise(3)
    assert outer.promised_bytes == 7
    assert inner.promised_bytes == 3


def test_memory_budget__without_a_limit_keeps_account():
    with memory_budget(None) as budget:
        budget.promise(5)
        budget.promise(4)
    assert (budget.limit, budget.promised_bytes) == (None, 5)


def test_memory_budget__holds_tasks_until_it_ends():
    before = dask.config.get("num_workers", None)
    with memory_budget("1GB") as outer:
        with memory_budget(None) as inner:
            inner.hold_tasks(3)
            inner.hold_tasks(4)
            assert dask.config.get("num_workers") == 3
            inner.hold_tasks(1)
            assert dask.config.get("num_workers") == 1
        assert dask.config.get("num_workers", None) == before
        assert outer.tasks is None
    with suppress(ZeroDivisionError), memory_budget("1GB") as budget:
        budget.hold_tasks(1)
        _ = 1 / 0
    assert dask.config.get("num_workers", None) == before


def test_memory_budget__refuses_what_is_no_size():
    with pytest.raises(ParameterError), memory_budget("much"):
        pass
    assert current_budget() is None


def test_values_per_block__follows_the_budget_alone():
    default = 2**22
    assert values_per_block(default) == default
    sizes = []
    for limit in ("1MB", "450MB", "500MB", "600MB", "800MB", "4GB", "100GB"):
        with memory_budget(limit):
            with dask.config.set(num_workers=64):
                many = values_per_block(default)
            assert values_per_block(default) == many
            sizes.append(many)
    assert sizes == sorted(sizes)
    assert sizes[0] == memory.FEWEST_VALUES
    assert sizes[-2:] == [default, default]
    assert all(size & (size - 1) == 0 for size in sizes)
    with memory_budget(None):
        assert values_per_block(default) == default


def test_values_per_block__leaves_room_for_two_tasks_and_their_states():
    for limit in (500_000_000, 700_000_000, 10**9):
        with memory_budget(limit):
            assert memory.PROCESS_BYTES + 2 * 2 * 20 * values_per_block(2**30) <= limit


def test_shared_pass__adds_up_what_the_others_keep():
    keep_beside_others(5)
    assert share_of_others() == 0
    with shared_pass():
        assert share_of_others() == 0
        keep_beside_others(5)
        keep_beside_others(6)
        assert share_of_others() == 11
    assert share_of_others() == 0


@pytest.fixture
def groups(tmp_path, monkeypatch):
    """A machine with 1 TB free, and control groups as files."""
    monkeypatch.setattr(memory, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    machine = psutil.virtual_memory()._replace(available=10**12)
    monkeypatch.setattr(memory.psutil, "virtual_memory", lambda: machine)

    def write(group, **files):
        folder = tmp_path / "cgroup" / group
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            (folder / f"memory.{name}").write_text(f"{text}\n")

    return tmp_path / "membership", write


def test_free_memory__is_that_of_the_machine_without_groups(groups):
    membership, _ = groups
    assert free_memory() == 10**12
    membership.write_text("9:name=systemd:/\n8:pids:/\n0::/\n")
    assert free_memory() == 10**12


def test_free_memory__takes_the_tightest_of_nested_groups_of_version_2(groups):
    membership, write = groups
    membership.write_text("0::/job/step\n")
    write("job", max=1000, current=300, stat="anon 200\ninactive_file 100")
    write("job/step", max="max", current=250)
    write("job/other", max=10, current=10)
    assert free_memory() == 1000 - (300 - 100)
    write("job/step", max=400, current=250)
    assert free_memory() == 150
    write("job/step", max=400, current=450)
    assert free_memory() == 0


def test_free_memory__reads_version_1_beside_version_2(groups):
    membership, write = groups
    membership.write_text("4:memory:/job\n3:cpu,cpuacct:/job\n0::/\n")
    write("memory/job", limit_in_bytes=5000, usage_in_bytes=2000, stat="cache 9\ntotal_inactive_file 500")
    write("memory", limit_in_bytes=2**63 - 4096, usage_in_bytes=10**10)
    assert free_memory() == 5000 - 1500


def test_free_memory__looks_at_the_mount_where_the_path_is_that_of_the_host(groups):
    membership, write = groups
    membership.write_text("0::/docker/0123456789ab\n")
    write(".", max=700, current=100)
    assert free_memory() == 600


def test_plan_tasks__leaves_them_alone_without_a_budget():
    assert plan_tasks(10**15, caller="write_cells", tasks=3) == 3


def test_plan_tasks__runs_fewer_at_once_and_promises_them():
    room = 250_000_000
    with memory_budget(resident_bytes() + FIRST_PASS_BYTES + room + 50_000_000) as budget:
        assert plan_tasks(100_000_000, caller="write_cells", tasks=8) in {2, 3}
        assert budget.tasks in {2, 3}
        assert dask.config.get("num_workers") == budget.tasks
        assert 0 < budget.promised_bytes <= budget.limit


def test_plan_tasks__refuses_what_cannot_fit_and_says_what_would_do(monkeypatch):
    monkeypatch.setattr(memory, "resident_bytes", lambda: 380_000_000)
    with memory_budget("500MB"), pytest.raises(BlockTooLargeError, match=r"write_cells must fit .* at least 5\.4GB"):
        plan_tasks(4_900_000_000, caller="write_cells", tasks=2)
    with memory_budget("5.4GB"):
        assert plan_tasks(4_900_000_000, caller="write_cells", tasks=2) == 1


def test_plan_tasks__keeps_account_where_there_is_no_limit():
    with memory_budget(None) as budget:
        assert plan_tasks(10**9, caller="write_cells", tasks=2, kept_bytes=10**8) == 2
        assert budget.promised_bytes > 2 * 10**9 + 10**8


def test_plan_tasks__leaves_workers_of_a_cluster_alone():
    with memory_budget("1MB"), dask.config.set(scheduler="dask.distributed"):
        assert plan_tasks(10**9, caller="write_cells", tasks=2) == 2


def test_threads__are_those_that_dask_would_use():
    with dask.config.set(num_workers=3):
        assert threads() == 3
    assert threads() >= 1


@pytest.mark.parametrize(("call", "size"), [(memory.return_memory_at_once, 2**20), (memory.keep_freed_memory, 2**26)])
def test_allocator__is_told_both_thresholds(monkeypatch, call, size):
    told = {}
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: SimpleNamespace(mallopt=told.__setitem__))
    call()
    assert told == {memory.MALLOC_TRIM: size, memory.MALLOC_MAP: min(size, 2**25)}


def test_allocator__is_left_alone_where_it_cannot_be_told(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: SimpleNamespace())
    memory.keep_freed_memory()
