"""Sixty SIGKILLs to training, worker and app: runs go on, to the numbers of uninterrupted ones."""

import os
import random
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

from tests.browser.driving import App, running_app
from vae_core.runs.execution import execute
from vae_core.runs.run import Run
from vae_core.runs.store import RunStore, create_run
from vae_core.runs.worker import ensure_worker
from vae_core.settings.config import RunConfig

KILLS = 60
AT_ONCE = 3  # runs in the queue
SETTINGS = {"epochs": 60, "hidden_size": 64, "batch_size": 32, "importance_every": 10}
LONGEST_WAIT = 2.0  # seconds between the epoch that is waited for and the kill
PATIENCE = 600.0
OF_ONE_PROCESS = {"worker.log"}  # files of a run that need not be those of an uninterrupted one


def main() -> None:
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as apps:
        place = Path(folder)
        store = RunStore(place / "runs")
        app, runs, killed = apps.enter_context(running_app(place)), [], Counter()
        for seed in range(AT_ONCE):
            runs.append(_queued(store, seed))
        while sum(killed.values()) < KILLS:
            run = _training(store, runs)
            victim = chance.choice(("training", "worker", "app"))
            _wait_for_an_epoch(store, run)
            time.sleep(chance.uniform(0, LONGEST_WAIT))
            killed[victim] += _kill(victim, store, run, app)
            if victim == "app":
                app = apps.enter_context(running_app(place))
        _wait_for(lambda: _settled(store, runs), "the last run done")
        print(f"  killed: {', '.join(f'{name} {count}' for name, count in killed.items())}")
        for run in runs:
            _report(run, place)


def _queued(store: RunStore, seed: int) -> Run:
    run = store.create(RunConfig.from_settings({**SETTINGS, "seed": seed}))
    ensure_worker(store)
    return run


def _training(store: RunStore, runs: list[Run]) -> Run:
    """The run that trains; a new one is queued where all have ended."""
    while True:
        ensure_worker(store)  # as every page does
        unfinished = [run for run in runs if run.status().state in ("queued", "running")]
        if not unfinished:
            runs.append(_queued(store, len(runs)))
        for run in unfinished:
            if run.status().state == "running" and run.is_alive():
                return run
        time.sleep(0.05)


def _wait_for_an_epoch(store: RunStore, run: Run) -> None:
    """Wait until the run has got further: three deaths in one epoch are called a failure."""
    before = len(run.metrics())
    _wait_for(lambda: len(run.metrics()) > before or _settled(store, [run]), "an epoch")


def _settled(store: RunStore, runs: list[Run]) -> bool:
    ensure_worker(store)
    return all(run.status().state not in ("queued", "running") for run in runs)


def _wait_for(fact: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + PATIENCE
    while not fact():
        if time.monotonic() > until:
            raise TimeoutError(f"waited in vain for {what}")
        time.sleep(0.05)


def _kill(victim: str, store: RunStore, run: Run, app: App) -> int:
    """Kill all processes of this kind; return how many there were, 0 or 1."""
    if victim == "app":
        app.kill()
        return 1
    pids = [run.status().pid] if victim == "training" else list(_workers(store))
    found = 0
    for pid in pids:
        if pid is not None:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                found = 1
    return found


def _workers(store: RunStore) -> Iterator[int]:
    listing = subprocess.run(["ps", "-eo", "pid,args"], capture_output=True, text=True, check=True)
    for line in listing.stdout.splitlines():
        if f"vae_core.runs.worker --store {store.folder}" in line:
            yield int(line.split()[0])


def _report(run: Run, place: Path) -> None:
    """Print how a run differs from the same one that nothing interrupts."""
    other = create_run(place / "uninterrupted" / run.id, run.config)
    execute(other)
    status = run.status()
    print(
        f"  {run.id}: {status.state}; "
        f"metrics {'equal' if _figures(run) == _figures(other) else 'DIFFER'}, "
        f"weights {'equal' if _weights(run) == _weights(other) else 'DIFFER'}, "
        f"left over: {', '.join(sorted(_files(run) - _files(other) - OF_ONE_PROCESS)) or 'nothing'}"
    )


def _figures(run: Run) -> list[dict[str, object]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in run.metrics()]


def _weights(run: Run) -> bytes:
    return (run.folder / "model.safetensors").read_bytes()


def _files(run: Run) -> set[str]:
    return {str(path.relative_to(run.folder)) for path in run.folder.rglob("*")}


if __name__ == "__main__":
    main()
