"""Workers keep what they free unless a budget limits the memory; a setting of the user's own is left alone."""

from __future__ import annotations

from weakref import WeakKeyDictionary

import pytest
from distributed import Client, LocalCluster

from chemores_dask import memory
from chemores_dask.stream import worker_memory
from chemores_dask.stream.compute import compute
from chemores_dask.stream.worker_memory import ALWAYS, TRIMMING, FreedMemory, prepare_workers


@pytest.fixture
def told(monkeypatch):
    """What the allocator is told."""
    told = []
    monkeypatch.setattr(worker_memory, "keep_freed_memory", lambda: told.append("keep"))
    monkeypatch.setattr(worker_memory, "return_memory_at_once", lambda: told.append("return"))
    return told


class Someone:
    """A client that notes what is registered."""

    def __init__(self, *, asynchronous=False):
        self.asynchronous = asynchronous
        self.registered = []

    def register_plugin(self, plugin, *, name):
        self.registered.append((name, plugin.kept))


@pytest.fixture
def client(monkeypatch):
    client = Someone()
    monkeypatch.setattr(worker_memory, "get_client", lambda: client)
    monkeypatch.setattr(worker_memory, "_prepared", WeakKeyDictionary())
    return client


@pytest.mark.parametrize(("kept", "expected"), [(True, "keep"), (False, "return")])
def test_setup__follows_the_plan_where_distributed_trims(told, monkeypatch, kept, expected):
    monkeypatch.setenv(TRIMMING, ALWAYS)
    FreedMemory(kept=kept).setup()
    assert told == [expected]


@pytest.mark.parametrize("value", [None, "1000000"])
def test_setup__leaves_other_settings_alone(told, monkeypatch, value):
    if value is None:
        monkeypatch.delenv(TRIMMING, raising=False)
    else:
        monkeypatch.setenv(TRIMMING, value)
    FreedMemory(kept=True).setup()
    assert told == []


def test_prepare_workers__tells_them_once_and_again_when_a_budget_comes_or_goes(client):
    prepare_workers()
    prepare_workers()
    with memory.memory_budget(None):
        prepare_workers()
    assert [kept for _, kept in client.registered] == [True]
    with memory.memory_budget("4GB"):
        prepare_workers()
        prepare_workers()
    prepare_workers()
    assert [kept for _, kept in client.registered] == [True, False, True]


def test_prepare_workers__does_nothing_without_a_client_or_with_one_that_does_not_wait(client, monkeypatch):
    client.asynchronous = True
    prepare_workers()
    assert client.registered == []

    def none():
        message = "No global client found"
        raise ValueError(message)

    monkeypatch.setattr(worker_memory, "get_client", none)
    prepare_workers()


@pytest.mark.cluster
def test_compute__prepares_the_workers_of_a_cluster():
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        compute()
        plugins = client.run(lambda dask_worker: list(dask_worker.plugins))
    assert all(worker_memory.NAME in names for names in plugins.values())
