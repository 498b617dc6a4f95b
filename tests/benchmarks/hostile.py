"""Run folders that do harm, each given to every command: how long it takes, how much memory."""

import contextlib
import io
import os
import tempfile
import time
import traceback
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from tests.hostile import Hostile, hostile_store
from vae_core.cli.main import main as command_line
from vae_core.runs.store import RunStore

MOST_SECONDS, MOST_MEGABYTES = 5.0, 300
COMMANDS = {
    "runs": ("runs",),
    "evaluate": ("evaluate", "--limit", "4", "--importance-samples", "10", "{run}"),
    "sample": ("sample", "--count", "1", "--out", "{out}/x.png", "{run}"),
    "gap": ("gap", "--images", "1", "{run}"),
    "score": ("score", "--importance-samples", "10", "{run}", "{out}/x.png"),
    "compare": ("compare", "{run}", "healthy"),
    "resume": ("train", "--run", "{run}", "--resume", "--yes"),
}


@dataclass(frozen=True)
class Cost:
    """What one command on one folder took. The status is None where it ended by an exception."""

    command: str
    folder: str
    seconds: float
    megabytes: float
    status: int | None
    said: str


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        hostile = hostile_store(Path(folder))
        os.environ["VAE_RUNS_DIR"] = str(hostile.store.folder)
        for name in COMMANDS:
            _report(name, _costs(name, hostile, Path(folder)))
        print(f"  files outside the store untouched: {hostile.untouched()}")


def _costs(command: str, hostile: Hostile, out: Path) -> list[Cost]:
    """Run a command on every folder, in a process of its own, so that memory is its own too."""
    bad = hostile.bad if "{run}" in COMMANDS[command] else ()  # to list runs takes them all
    names = ["healthy", "healthy", *bad]  # the first one imports what the command needs
    with get_context("fork").Pool(1) as pool:
        return pool.starmap(_cost, [(command, name, str(out)) for name in names])[1:]


def _cost(command: str, folder: str, out: str) -> Cost:
    arguments = [each.format(run=folder, out=out) for each in COMMANDS[command]]
    store = RunStore(Path(os.environ["VAE_RUNS_DIR"]))
    arguments = [str(store.folder / folder) if each == folder else each for each in arguments]
    before, started, said = getrusage(RUSAGE_SELF).ru_maxrss, time.monotonic(), io.StringIO()
    status: int | None = None
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            status = command_line(arguments)
        except SystemExit as error:
            status = error.code if isinstance(error.code, int) else 1
        except BaseException:
            said.write(traceback.format_exc())
    grown = (getrusage(RUSAGE_SELF).ru_maxrss - before) / 1000
    return Cost(command, folder, time.monotonic() - started, grown, status, said.getvalue())


def _report(name: str, costs: list[Cost]) -> None:
    slowest = max(costs, key=lambda each: each.seconds)
    largest = max(costs, key=lambda each: each.megabytes)
    print(
        f"  {name}: {len(costs)} folders, slowest {slowest.seconds:.2f} s ({slowest.folder}; "
        f"a healthy run {costs[0].seconds:.2f} s), most memory {largest.megabytes:.0f} MB",
        flush=True,
    )
    for each in costs:
        if each.seconds > MOST_SECONDS or each.megabytes > MOST_MEGABYTES:
            print(f"  over the limit: {each.folder}: {each.seconds:.1f} s, {each.megabytes:.0f} MB")
        if each.status not in (0, 1):
            print(f"  {each.folder} ended with {each.status}: {each.said[-300:]}")


if __name__ == "__main__":
    main()
