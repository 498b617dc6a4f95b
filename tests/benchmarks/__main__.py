"""``python -m tests.benchmarks [name …]``: run all benchmarks but some, or those that are named.

Some are named alone and take options: ``false-alarms MODEL --json``, ``colour --minutes 10``.
"""

import contextlib
import importlib
import os
import subprocess
import sys
from types import ModuleType

from tests.benchmarks.machine import describe
from vae_core.training.precision import denormals_flushed

NAMES = (
    "training", "families", "scoring", "kept_epoch", "trusted", "report", "load", "memory",
    "store", "starts", "kills", "hostile", "app", "talk",
)  # fmt: skip
ON_A_CARD = ("gpu",)
WITH_OPTIONS = ("false-alarms", "roc", "colour")
WAITING_ASLEEP = ("hostile",)  # calls the command line, which sets this before PyTorch is loaded
_WAIT = "OMP_WAIT_POLICY"


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    if chosen[0] in WITH_OPTIONS:
        _benchmark(chosen[0]).main(chosen[1:])
        return
    known = (*NAMES, *ON_A_CARD, *WITH_OPTIONS)
    if unknown := set(chosen) - set(known):
        sys.exit(f"There is no benchmark {min(unknown)!r}. There are {', '.join(known)}.")
    if len(chosen) == 1:
        if chosen[0] in WAITING_ASLEEP and _WAIT not in os.environ:
            command = [sys.executable, "-m", "tests.benchmarks", *chosen]
            os.execve(sys.executable, command, {**os.environ, _WAIT: "PASSIVE"})
        _run(chosen[0])
        return
    for name in chosen:  # each in its own process, without threads and memory of the last one
        command = [sys.executable, "-m", "tests.benchmarks", name]
        if status := subprocess.run(command).returncode:
            sys.exit(status)


def _run(name: str) -> None:
    trains = name in ("training", "families", "kept_epoch")
    # Our training flushes denormal numbers; here the peers do too
    with denormals_flushed() if trains else contextlib.nullcontext():
        print(describe())
        _benchmark(name).main()


def _benchmark(name: str) -> ModuleType:
    try:
        return importlib.import_module(f"tests.benchmarks.{name.replace('-', '_')}")
    except ModuleNotFoundError as error:
        sys.exit(f"{error}. Install the peers: pip install -e '.[benchmarks]'")


if __name__ == "__main__":
    main()
