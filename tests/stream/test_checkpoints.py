from __future__ import annotations

from dataclasses import dataclass

import dask
import numpy as np
import pytest
import scipy.sparse as sp

from chemores_dask.kernels.reduction import Reduction, together
from chemores_dask.stream import checkpoints
from chemores_dask.stream.checkpoints import (
    Kept,
    checkpoint_folder,
    drop_checkpoints,
    keeping_checkpoints,
    kept_state,
    kept_value,
)
from chemores_dask.stream.compute import compute
from chemores_dask.stream.reduce import reduce_rows
from chemores_dask.stream.rows import as_rows

ROWS = np.random.default_rng(4).poisson(1.0, (100, 6)).astype(np.int32)
seen: list[int] = []
limit = [1000]


@dataclass(frozen=True)
class _Sums:
    """Sums of the columns; counts the rows it sees, and dies like a killed process after some of them."""

    power: int = 1

    def __call__(self, rows, columns):
        if sum(seen) >= limit[0]:
            raise KeyboardInterrupt
        seen.append(rows.shape[0])
        return np.asarray(rows.power(self.power).sum(axis=0), dtype=float).ravel()


def _add(first, second):
    return first + second


def _halved(state):
    return {"half": state / 2}


def reduced(power=1, *, rows_per_block=2, fan_in=3):
    rows = as_rows(sp.csr_matrix(ROWS), rows_per_block=rows_per_block)
    return reduce_rows(rows, Reduction(_Sums(power), _add, _halved), fan_in=fan_in)


def computed(*lazy):
    with dask.config.set(scheduler="synchronous"):
        return compute(*lazy)


@pytest.fixture(autouse=True)
def start():
    seen.clear()
    limit[0] = 10_000


def test_keeping_checkpoints__gives_a_killed_pass_what_it_had_learned(tmp_path):
    (whole,) = computed(reduced())
    seen.clear()
    runs = []
    for allowed in (14, 50, 22, 10_000):
        limit[0] = allowed
        seen.clear()
        with keeping_checkpoints(tmp_path / "kept"):
            if allowed < 10_000:
                with pytest.raises(KeyboardInterrupt):
                    computed(reduced())
            else:
                (found,) = computed(reduced())
        runs.append(sum(seen))
    assert np.array_equal(found["half"], whole["half"])
    assert sum(runs) == len(ROWS)
    seen.clear()
    with keeping_checkpoints(tmp_path / "kept"):
        (again,) = computed(reduced())
    assert np.array_equal(again["half"], whole["half"])
    assert seen == []


def test_keeping_checkpoints__keeps_few_files(tmp_path, monkeypatch):
    most = []
    keep = Kept.keep

    def counted(self, value, *, instead_of=()):
        value = keep(self, value, instead_of=instead_of)
        most.append(len(list(tmp_path.rglob("*"))))
        return value

    monkeypatch.setattr(Kept, "keep", counted)
    with keeping_checkpoints(tmp_path):
        computed(reduced())
    assert max(most) <= 3 * 4 + 1
    assert [file.suffix for file in tmp_path.iterdir()] == [".checkpoint"]


@pytest.mark.parametrize("largest", [0, 400])
def test_keeping_checkpoints__computes_what_is_too_large_to_keep_again(tmp_path, monkeypatch, largest):
    (whole,) = computed(reduced())
    seen.clear()
    monkeypatch.setattr(checkpoints, "LARGEST_BLOCK_STATE", largest)
    limit[0] = 50
    with keeping_checkpoints(tmp_path), pytest.raises(KeyboardInterrupt):
        computed(reduced())
    limit[0] = 10_000
    with keeping_checkpoints(tmp_path):
        (found,) = computed(reduced())
    assert np.array_equal(found["half"], whole["half"])
    # Blocks of merges that were kept are not read again: at most one merge of three blocks was under way.
    assert len(ROWS) < sum(seen) <= len(ROWS) + 3 * 2 * 3


def test_keeping_checkpoints__does_not_take_damaged_files(tmp_path):
    (whole,) = computed(reduced())
    with keeping_checkpoints(tmp_path):
        computed(reduced())
        (file,) = tmp_path.iterdir()
        file.write_bytes(file.read_bytes()[:-3] + b"abc")
        seen.clear()
        (found,) = computed(reduced())
    assert sum(seen) == len(ROWS)
    assert np.array_equal(found["half"], whole["half"])


def test_keeping_checkpoints__tells_other_reductions_rows_and_versions_apart(tmp_path, monkeypatch):
    with keeping_checkpoints(tmp_path):
        first, second = computed(reduced(1), reduced(2))
        assert not np.array_equal(first["half"], second["half"])
        seen.clear()
        computed(reduced(1, rows_per_block=4))
        assert sum(seen) == len(ROWS)
        seen.clear()
        monkeypatch.setattr(checkpoints, "versions", lambda: {"numpy": "99"})
        computed(reduced(1))
        assert sum(seen) == len(ROWS)


def test_keeping_checkpoints__takes_reductions_that_cannot_be_kept(tmp_path):
    rows = as_rows(sp.csr_matrix(ROWS), rows_per_block=10)
    with keeping_checkpoints(tmp_path):
        (found,) = computed(reduce_rows(rows, Reduction(_names, set.union)))
    assert found == {6}
    assert not list(tmp_path.iterdir())


def _names(rows, columns):
    return {rows.shape[1]}


def test_keeping_checkpoints__keeps_several_statistics_of_one_pass(tmp_path):
    rows = as_rows(sp.csr_matrix(ROWS), rows_per_block=10)
    both = together(one=Reduction(_Sums(1), _add), two=Reduction(_Sums(2), _add))
    (whole,) = computed(reduce_rows(rows, both))
    with keeping_checkpoints(tmp_path):
        computed(reduce_rows(rows, both))
        seen.clear()
        (found,) = computed(reduce_rows(rows, both))
    assert seen == []
    assert found.keys() == whole.keys()
    assert all(np.array_equal(found[name], whole[name]) for name in whole)


def test_checkpoint_folder__is_none_outside(tmp_path):
    assert checkpoint_folder() is None
    assert kept_value("a") is None
    assert kept_state("a", level=0, number=0) is None
    with keeping_checkpoints(tmp_path / "kept") as folder:
        assert checkpoint_folder() == folder == tmp_path / "kept"
        assert kept_value("a").file != kept_value("b").file
        assert kept_value("a").file == kept_value("a").file
    assert checkpoint_folder() is None
    assert not (tmp_path / "kept").exists()


def test_drop_checkpoints__removes_them(tmp_path):
    with keeping_checkpoints(tmp_path / "kept"):
        computed(reduced())
    assert list((tmp_path / "kept").iterdir())
    drop_checkpoints(tmp_path / "kept")
    drop_checkpoints(tmp_path / "kept")
    assert not (tmp_path / "kept").exists()
