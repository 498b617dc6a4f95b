"""Fixtures for the tests of pages."""

import sys
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _costs_are_counted_anew() -> Iterator[None]:
    """A test may say that the computer has little memory; no other test may hear of it."""
    yield
    if (estimate := sys.modules.get("app.views.train.estimate")) is not None:
        estimate._memory.cache_clear()
