"""Train the runs of a sweep in this process, one after the other."""

import time
from collections.abc import Callable

from vae_core.runs.run import Run
from vae_core.runs.sweeps import Sweep, SweepStore
from vae_core.wording.numbers import in_hundredths

_POLL_SECONDS = 1.0


def train_sweep(store: SweepStore, sweep: Sweep, say: Callable[[str], None]) -> bool:
    """Train what is not done, each run from its last checkpoint; failed runs are tried again.

    A run that another process trains is waited for at the end. A run that fails costs only itself.

    Args:
        say: called with a line for each run.

    Returns:
        False if a run was paused or stopped meanwhile, for example by Ctrl-C; then no other run is
        started.
    """
    store.complete(sweep, "paused")
    members = store.progress(sweep).members
    count = len(members)
    waiting: list[tuple[int, Run]] = []
    for number, member in enumerate(members, 1):
        run = member.run
        if run is None or member.state == "done":
            continue
        if run.is_alive():
            waiting.append((number, run))
            continue
        if not _train(run, f"{number}/{count} {run.name}", say):
            return False
    for number, run in waiting:
        say(f"{number}/{count} {run.name}: another process trains it; waiting for its end.")
        while run.is_alive():
            time.sleep(_POLL_SECONDS)
    return True


def _train(run: Run, name: str, say: Callable[[str], None]) -> bool:
    """Train a run; return False if it was paused or stopped."""
    from vae_core.runs.execution import execute  # loads PyTorch

    run.clear_request()
    state = execute(run)
    figures = run.evaluation() if state == "done" else None
    if figures is not None:
        log_px = in_hundredths(figures["log_px"], figures["log_px_se"])
        say(f"{name}: log p̂(x) = {log_px}, {run.status().seconds:.1f} s of training")
    else:
        say(f"{name}: {state}. {run.status().error}".rstrip())
    return state not in ("paused", "stopped", "queued")
