"""``python -m tests.benchmarks [name …]``: every benchmark, or those named, one after the other."""

import importlib
import sys

from tests.benchmarks.machine import describe

NAMES = ("training", "families", "scoring")


def main() -> None:
    chosen = sys.argv[1:] or NAMES
    if unknown := set(chosen) - set(NAMES):
        sys.exit(f"There is no benchmark {min(unknown)!r}. There are {', '.join(NAMES)}.")
    print(describe())
    for name in chosen:
        try:
            benchmark = importlib.import_module(f"tests.benchmarks.{name}")
        except ModuleNotFoundError as error:
            sys.exit(f"{error}. Install the peers: pip install -e '.[benchmarks]'")
        benchmark.main()


if __name__ == "__main__":
    main()
