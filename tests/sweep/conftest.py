"""A Dask cluster of two worker processes on the loopback address."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="session")
def cluster():
    distributed = pytest.importorskip("distributed")
    import dask

    quick = {
        "distributed.scheduler.allowed-failures": 0,  # blame at once, not after four deaths: a restart takes seconds
        "distributed.comm.timeouts.connect": "2s",  # the scheduler calls a dead worker that long, by default 30 s
    }
    with (
        dask.config.set(quick),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as cluster,
    ):
        yield cluster
