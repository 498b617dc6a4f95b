"""Threads: those that wait sleep, tasks share the cores, a container takes no more than it has."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import pytest
import torch

from vae_core.basics import threads
from vae_core.basics.threads import prepare_threads, share_cores, share_cores_of_step

WATCHED = """
import os, sys

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "torch":
            print("policy:", os.environ.get("OMP_WAIT_POLICY"))
            sys.meta_path.remove(self)

sys.meta_path.insert(0, Watch())
"""


def policy_at_torch(module: str, **settings: str) -> str:
    """Import the module in a new process and return the policy by the time PyTorch is loaded."""
    kept = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    return subprocess.run(
        [sys.executable, "-c", f"{WATCHED}\nimport {module}"],
        env=kept | settings,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    ["vae_core.model.vae", "vae_core.runs.execution", "app.views.score.page"],
)
def test_threads_sleep_by_the_time_pytorch_is_loaded(module: str) -> None:
    assert policy_at_torch(module) == "policy: PASSIVE"


@pytest.mark.slow
def test_the_policy_of_the_user_stays() -> None:
    assert policy_at_torch("vae_core.model.vae", OMP_WAIT_POLICY="ACTIVE") == "policy: ACTIVE"


def threads_in_a_new_thread(before: Callable[[], None]) -> int:
    """Return how many threads PyTorch takes after ``before``; those of this thread stay."""
    with ThreadPoolExecutor(1) as pool:
        pool.submit(before).result()
        return pool.submit(torch.get_num_threads).result()


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    before = torch.get_num_threads()
    monkeypatch.setattr(threads, "_available", lambda: 8)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("tasks", "each"), [(1, 8), (2, 4), (3, 2), (8, 1), (20, 1)])
def test_tasks_share_the_cores_and_each_has_one(tasks: int, each: int) -> None:
    assert threads_in_a_new_thread(lambda: share_cores(tasks)) == each


def test_tasks_that_begin_at_once_take_no_share_of_a_share(monkeypatch: pytest.MonkeyPatch) -> None:
    chosen, asked, second_asks = [8], [0], threading.Event()

    def get() -> int:
        asked[0] += 1
        if asked[0] == 1:
            second_asks.wait(0.5)
            return chosen[-1]
        second_asks.set()
        while len(chosen) == 1:  # until the first task has chosen
            second_asks.wait(0.01)
        return chosen[-1]

    monkeypatch.setattr(torch, "get_num_threads", get)
    monkeypatch.setattr(torch, "set_num_threads", chosen.append)
    monkeypatch.setattr(threads, "_available", cache(threads._available.__wrapped__))
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(share_cores, [2, 2]))
        share_cores(1)
    assert chosen == [8, 4, 4, 8]


@pytest.mark.usefixtures("eight_cores")
def test_small_steps_take_one_thread_and_large_ones_all_cores() -> None:
    assert threads_in_a_new_thread(lambda: share_cores_of_step(weights=100_000, latents=128)) == 1
    assert threads_in_a_new_thread(lambda: share_cores_of_step(weights=430_000, latents=128)) == 8
    assert threads_in_a_new_thread(lambda: share_cores_of_step(weights=100_000, latents=6400)) == 8


@pytest.mark.parametrize(
    ("quota", "expected"),
    [
        ("150000 100000\n", "1"),
        ("200000 100000\n", "2"),
        ("50000 100000\n", "1"),
        ("max 100000\n", None),
        ("6400000 100000\n", None),  # as many as the computer has
        ("nonsense", None),
        (None, None),  # no container, or another system
    ],
)
def test_a_container_takes_no_more_threads_than_its_cores(
    quota: str | None, expected: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "cpu.max"
    if quota is not None:
        file.write_text(quota)
    monkeypatch.setattr(threads, "_QUOTA", file)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setenv("OMP_NUM_THREADS", "")  # so that it is as before after the test
    monkeypatch.delenv("OMP_NUM_THREADS")

    prepare_threads()

    assert os.environ.get("OMP_NUM_THREADS") == expected


def test_the_threads_that_the_user_chose_stay_in_a_container(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "cpu.max").write_text("100000 100000")
    monkeypatch.setattr(threads, "_QUOTA", tmp_path / "cpu.max")
    monkeypatch.setenv("OMP_NUM_THREADS", "5")

    prepare_threads()

    assert os.environ["OMP_NUM_THREADS"] == "5"
