"""``python -m tests.benchmarks [name …]``: every benchmark, or those named, one after the other."""

import contextlib
import importlib
import subprocess
import sys
from types import ModuleType

from tests.benchmarks.machine import describe
from vae_core.precision import denormals_flushed

NAMES = ("training", "families", "scoring", "app")


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    if unknown := set(chosen) - set(NAMES):
        sys.exit(f"There is no benchmark {min(unknown)!r}. There are {', '.join(NAMES)}.")
    for name in chosen if len(chosen) > 1 else ():
        subprocess.run([sys.executable, "-m", "tests.benchmarks", name], check=True)
    if len(chosen) == 1:
        _run(chosen[0])


def _run(name: str) -> None:
    """One benchmark, in a process in which no other has left threads or memory."""
    trains = name in ("training", "families")
    # as our training does; for the peers too
    with denormals_flushed() if trains else contextlib.nullcontext():
        print(describe())
        _benchmark(name).main()


def _benchmark(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"tests.benchmarks.{name}")
    except ModuleNotFoundError as error:
        sys.exit(f"{error}. Install the peers: pip install -e '.[benchmarks]'")


if __name__ == "__main__":
    main()
