"""BLAS keeps to one thread while tasks run, and gets its threads back afterwards."""

from __future__ import annotations

import threading

import pytest
from threadpoolctl import threadpool_info

from chemores_dask.kernels.blas_threads import single_blas_thread


def blas_threads():
    return [library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"]


def test_single_blas_thread__limits_and_restores():
    before = blas_threads()
    with single_blas_thread():
        assert set(blas_threads()) <= {1}
    assert blas_threads() == before


def test_single_blas_thread__is_shared_by_tasks_that_overlap():
    before = blas_threads()
    inside, leave = threading.Event(), threading.Event()

    def task():
        with single_blas_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=task)
    with single_blas_thread():
        thread.start()
        assert inside.wait(10)
    assert set(blas_threads()) <= {1}, "the other task is still inside"
    leave.set()
    thread.join()
    assert blas_threads() == before


def test_single_blas_thread__restores_after_an_error():
    before = blas_threads()
    with pytest.raises(RuntimeError, match="task failed"), single_blas_thread():
        raise RuntimeError("task failed")  # noqa: EM101
    assert blas_threads() == before
