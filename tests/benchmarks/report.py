"""Reports of MNIST images by the command's loop, by the app's threads, and by worker processes.

Beside them something may use the interpreter, as the script of a page does, or both cores.
"""

import multiprocessing
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager

import torch
from torch import Tensor

from app.services.scheduler import Scheduler
from app.services.work import Sliced
from tests.benchmarks.side_by_side import medians
from vae_core.basics.paths import pretrained_folder
from vae_core.basics.progress import finish
from vae_core.inference.annealing import simulate
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model
from vae_core.runs.records import calibration_of
from vae_core.runs.run import Run
from vae_core.scoring.judge import Judge
from vae_core.scoring.report import report_steps

IMAGES, SAMPLES = 30, 100
MODEL = pretrained_folder() / "mnist-mean-field-d50"


def main() -> None:
    model, judge, x = subject()
    start = time.perf_counter()
    with ProcessPoolExecutor(2, multiprocessing.get_context("spawn")) as pool:
        list(pool.map(one, [0, 1]))
        begun = time.perf_counter() - start
        work = {
            "as the command does it": lambda: by_the_command(model, judge, x),
            "by the app's threads": lambda: by_threads(model, judge, x),
            "by them, for two visitors": lambda: by_threads(model, judge, x, visitors=2),
            "by two processes": lambda: list(pool.map(one, range(IMAGES))),
        }
        for beside, context in (
            ("with nothing beside it", quiet),
            ("while a page's script runs without pause", script),
            ("while two other processes compute", load),
        ):
            with context():
                seconds = medians(work, rounds=3)
            print(f"\nReports of {IMAGES} images, K = {SAMPLES}, {beside}")
            reference = seconds["as the command does it"]
            for name, taken in seconds.items():
                each, ratio = taken / IMAGES * 1000, taken / reference
                print(f"  {name:28} {each:8.1f} ms an image {ratio:6.2f} ×")
    print(f"\n  until two processes had PyTorch, the model and a score each: {begun:.1f} s")


def subject() -> tuple[VAE, Judge, Tensor]:
    """The model, what its scores are compared with, and images drawn by it."""
    model, run = load_model(MODEL), Run.open(MODEL)
    x, _ = simulate(model, IMAGES, torch.Generator().manual_seed(0))
    return model, Judge.of(calibration_of(run), run.config.train.binarisation), x


def by_the_command(model: VAE, judge: Judge, x: Tensor) -> None:
    for each in x:
        finish(report_steps(model, each[None], SAMPLES, judge, 0))


class Reports(Sliced):
    """The reports as the page does them: in slices, whichever thread has its turn."""

    def __init__(self, model: VAE, judge: Judge, x: Tensor) -> None:
        self._of = model, judge, x
        super().__init__(self._steps)

    @property
    def share(self) -> float:
        return 1.0

    def _steps(self) -> Iterator[None]:
        model, judge, x = self._of
        for each in x:
            for _ in report_steps(model, each[None], SAMPLES, judge, 0):
                yield


def by_threads(model: VAE, judge: Judge, x: Tensor, visitors: int = 1) -> None:
    """The images shared among so many visitors."""
    scheduler = Scheduler()
    jobs = [Reports(model, judge, x[i::visitors]) for i in range(visitors)]
    for number, job in enumerate(jobs):
        scheduler.want(number, "reports", job)
    for job in jobs:
        scheduler.wait(job, 600)


_subject: tuple[VAE, Judge, Tensor] | None = None


def one(image: int) -> None:
    """Make the report of one image, in a worker process that loads the model once."""
    global _subject
    _subject = _subject or subject()
    model, judge, x = _subject
    finish(report_steps(model, x[image : image + 1], SAMPLES, judge, 0))


@contextmanager
def quiet() -> Iterator[None]:
    yield


@contextmanager
def script() -> Iterator[None]:
    """A thread that computes in Python and so wants the interpreter's lock all the time."""
    ended = threading.Event()

    def draw() -> None:
        while not ended.is_set():
            sum(i * i for i in range(10_000))

    thread = threading.Thread(target=draw)
    thread.start()
    yield
    ended.set()
    thread.join()


@contextmanager
def load() -> Iterator[None]:
    """Two processes that use both cores."""
    others = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(2)]
    yield
    for other in others:
        other.kill()
        other.wait()


if __name__ == "__main__":
    main()
