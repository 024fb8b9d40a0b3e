from __future__ import annotations

import time

import numpy as np
import pytest
from distributed import Client, LocalCluster

from chemores_dask import metering
from chemores_dask.workflow.cost import CostMeter, active_client, describe_host


def decode(rows):
    metering.count(rows_decoded=rows, bytes_decoded=8 * rows)
    return rows


def ignore(rows):
    return None


def test_cost_meter__bills_what_was_counted_since_a_reading():
    with CostMeter(client=None, on_rows=ignore) as meter:
        decode(5)
        reading = meter.read()
        decode(30)
        bill = meter.bill(reading, cells=10)
    assert (bill.passes, bill.bytes_decoded, bill.tasks) == (3.0, 240, 0)
    assert bill.seconds > 0
    assert bill.peak_memory_bytes > 1e7


def test_cost_meter__has_no_passes_without_cells():
    with CostMeter(client=None, on_rows=ignore) as meter:
        assert meter.bill(meter.read(), cells=0).passes == 0.0


def test_cost_meter__sees_a_peak_between_readings():
    with CostMeter(client=None, on_rows=ignore) as meter:
        reading = meter.read()
        before = meter.bill(reading, cells=1).peak_memory_bytes
        held = np.ones(30_000_000)
        time.sleep(0.6)
        del held
        assert meter.bill(reading, cells=1).peak_memory_bytes > before + 150_000_000


def test_cost_meter__tells_the_rows_while_it_runs():
    seen = []
    with CostMeter(client=None, on_rows=seen.append):
        decode(7)
        time.sleep(0.6)
    assert seen[-1] == 7


def test_describe_host__names_no_machine():
    assert active_client() is None
    assert describe_host(None).startswith("threads of one process; ")


@pytest.mark.cluster
@pytest.mark.parametrize("processes", [True, False])
def test_cost_meter__counts_every_process_once(processes):
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=processes, dashboard_address=":0") as cluster,
        Client(cluster) as client,
    ):
        assert active_client() is client
        assert describe_host(client).startswith("distributed; 2 workers, 2 threads, ")
        with CostMeter(client=client, on_rows=ignore) as meter:
            reading = meter.read()
            assert sum(client.gather(client.map(decode, [1, 2, 3, 4]))) == 10
            assert meter.bill(reading, cells=10).passes == 1.0
