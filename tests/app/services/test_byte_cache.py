"""Cached results stay within a limit in bytes, and leave with the sessions that used them."""

import ast
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
import torch
from streamlit.testing.v1 import AppTest

from app.services import byte_cache
from app.services.byte_cache import Budget, cached, size_of

ROOT = Path(__file__).resolve().parents[3]
MB = 2**20
# They keep one object for the server, or a few numbers each.
SMALL = {
    "_costs", "_disk", "_download", "_elbo_of", "_log_once", "_memory", "_pretrained",
    "_pretrained_models", "_removed", "_shared", "_speed", "_temporary", "_watch", "batches",
    "boxed", "ink_palette", "planned", "scheduler", "shared", "store", "sweep",
}  # fmt: skip


def megabyte() -> np.ndarray:
    return np.zeros(MB, np.uint8)


@pytest.fixture
def budget() -> Budget:
    """A budget of three megabytes and a little."""
    return Budget(3 * MB + 10_000)


@pytest.fixture
def of_the_app(budget: Budget, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the functions that a test caches have this budget."""
    monkeypatch.setattr(byte_cache, "BUDGET", budget)


@pytest.fixture
def visit(monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], None]:
    """A function that makes a session the present one."""
    present: list[str | None] = [None]
    monkeypatch.setattr(byte_cache.sessions, "current", lambda: present[0])
    return lambda session: present.__setitem__(0, session)


@dataclass
class Result:
    mean: torch.Tensor
    row: torch.Tensor
    names: list[str]


@pytest.mark.parametrize(
    ("value", "bytes_"),
    [
        (b"x" * MB, MB),
        ({"a": [np.zeros(MB // 4, np.float32)]}, MB),
        (np.zeros((2, MB), np.uint8)[0, :5], 2 * MB),  # the view keeps both rows
        (torch.zeros(MB // 4), MB),
        (torch.nn.Linear(512, 512), MB),
        ((torch.zeros(MB // 8, dtype=torch.float64) for _ in range(1)), 0),
    ],
    ids=["bytes", "array", "view", "tensor", "model", "nothing computed yet"],
)
def test_the_size_of_a_value_is_that_of_its_numbers(value: object, bytes_: int) -> None:
    assert bytes_ <= size_of(value) <= bytes_ + 20_000


def test_numbers_that_a_value_holds_twice_are_counted_once() -> None:
    mean = torch.zeros(512, 512)
    assert MB <= size_of(Result(mean, mean[0], ["a"] * 10)) <= MB + 20_000


def test_the_least_recently_used_results_leave_first(budget: Budget) -> None:
    first, second, third = (budget.keep(megabyte()) for _ in range(3))
    assert budget.use(first)
    fourth = budget.keep(megabyte())
    assert [budget.use(box) for box in (first, second, third, fourth)] == [True, False, True, True]
    assert second.content is None
    assert budget.total <= budget.most


def test_a_result_larger_than_the_budget_is_kept_alone(budget: Budget) -> None:
    small = budget.keep(megabyte())
    large = budget.keep(np.zeros(10 * MB, np.uint8))
    assert (small.content, budget.use(large)) == (None, True)


def test_results_that_grow_are_measured_again(
    budget: Budget, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(byte_cache, "_MEASURED_AGAIN", 0.0)
    other, values = budget.keep(megabyte()), []
    box = budget.keep(values)
    values += [megabyte() for _ in range(4)]
    assert budget.use(box)
    assert (other.content, budget.total >= 4 * MB) == (None, True)


def test_what_only_ended_sessions_used_leaves_with_them(budget: Budget, visit) -> None:
    visit("first")
    mine, ours = budget.keep("mine"), budget.keep("ours")
    visit("second")
    assert budget.use(ours)
    visit(None)
    nobodys = budget.keep("nobody's")
    budget.forget({"first"})
    assert [budget.use(box) for box in (mine, ours, nobodys)] == [False, True, True]
    budget.forget({"second"})
    assert [budget.use(box) for box in (mine, ours, nobodys)] == [False, False, True]
    assert budget.total == nobodys.size


@pytest.mark.usefixtures("of_the_app")
def test_a_cached_function_computes_again_only_what_has_left(budget: Budget) -> None:
    calls: list[int] = []

    @cached()
    def made(number: int) -> np.ndarray | None:
        calls.append(number)
        return megabyte() if number else None

    assert made(0) is made(0) is None
    assert made(1) is made(1)
    for number in (2, 3, 1, 4, 1, 2):
        made(number)
    assert calls == [0, 1, 2, 3, 4, 2]
    assert budget.total <= budget.most


@pytest.mark.usefixtures("of_the_app")
def test_the_entries_of_a_cached_function_are_limited_in_number_too(budget: Budget) -> None:
    @cached(max_entries=2)
    def made(number: int) -> np.ndarray:
        return np.full(MB, number, np.uint8)

    for number in range(3):
        made(number)
    assert 2 * MB <= budget.total < 2.1 * MB


@pytest.mark.usefixtures("of_the_app")
def test_two_sessions_at_once_compute_a_result_once() -> None:
    calls: list[int] = []
    both_asked = threading.Barrier(2)

    @cached()
    def made() -> str:
        calls.append(1)
        return "a result"

    def ask(_: int) -> str:
        both_asked.wait(timeout=60)
        return made()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(ask, range(2))) == ["a result"] * 2
    assert calls == [1]


def test_every_cache_of_the_app_is_within_the_budget() -> None:
    """Except some that are small; a new one belongs into the budget."""
    others = {"cache", "lru_cache", "cache_data", "cache_resource"}
    found: set[str] = set()
    for path in (ROOT / "app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef):
                names = {word for each in node.decorator_list for word in words(each)}
                found |= {node.name} if names & others else set()
    assert found == SMALL


def words(decorator: ast.expr) -> set[str]:
    named = ast.walk(decorator)
    return {getattr(each, "attr", getattr(each, "id", "")) for each in named}


@pytest.mark.slow
def test_what_a_page_caches_leaves_with_its_session() -> None:
    session = "test session id"  # of all pages that AppTest draws
    st.cache_resource.clear()  # what other tests of this process left, whoever used it
    byte_cache.BUDGET.forget({session})
    before = byte_cache.BUDGET.total
    page = AppTest.from_file(str(ROOT / "app/main.py"), default_timeout=120).run()
    assert not page.exception
    assert not page.error
    assert byte_cache.BUDGET.total > before + MB / 4
    byte_cache.BUDGET.forget({session})
    assert byte_cache.BUDGET.total <= before


def test_tensors_inside_vmap_have_no_memory_of_their_own():
    """Work in another thread may hold them while its size is measured."""
    sizes: list[int] = []

    def one(row: torch.Tensor) -> torch.Tensor:
        sizes.append(size_of([row]))
        return row

    torch.func.vmap(one)(torch.zeros(3, 100_000))
    assert sizes[0] < 20_000
