"""Timing things against each other in one run, in turns, since machines are noisy."""

import statistics
import time
from collections.abc import Callable, Mapping


def medians(work: Mapping[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Median seconds of each piece of work; the pieces take turns, after one warm-up each."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def report(title: str, seconds: Mapping[str, float], reference: str) -> None:
    """Print each time and its ratio to the reference's."""
    print(f"\n{title}")
    for name, value in seconds.items():
        print(f"  {name:32} {value * 1000:9.1f} ms   {value / seconds[reference]:5.2f} ×")
