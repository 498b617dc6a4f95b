"""Fixtures for tests of the app: no test works on beside the next ones."""

import sys
from collections.abc import Iterator

import pytest

_PATIENCE = 60.0  # seconds; reached only when something is broken


@pytest.fixture(autouse=True)
def _no_work_left() -> Iterator[None]:
    """Drop the long work that a test's pages wanted. It would slow down the next tests of this
    process, and put results into the caches that they measure."""
    yield
    if "app.services.scheduler" not in sys.modules:
        return
    from app.services.scheduler import scheduler

    server = scheduler()
    with server._change:
        under_way = [place for place in server._line.values() if place.busy]
        server._line.clear()
        ended = server._change.wait_for(lambda: not any(p.busy for p in under_way), _PATIENCE)
    assert ended, "A slice of long work does not end"
