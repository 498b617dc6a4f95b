"""Timing things against each other in one run, in turns, since machines are noisy."""

import statistics
import time
from collections.abc import Callable, Mapping

from torch.utils.flop_counter import FlopCounterMode

Work = Mapping[str, Callable[[], object]]


def medians(work: Work, rounds: int = 5) -> dict[str, float]:
    """Median seconds of each piece of work; the pieces take turns, after one warm-up each."""
    times: dict[str, list[float]] = {name: [] for name in work}
    for turn in range(rounds + 1):
        for name, run in work.items():
            start = time.perf_counter()
            run()
            if turn > 0:
                times[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in times.items()}


def products(work: Work) -> dict[str, int]:
    """Floating-point operations in the matrix products and convolutions of each."""
    counts = {}
    for name, run in work.items():
        with FlopCounterMode(display=False) as counter:
            run()
        counts[name] = counter.get_total_flops()
    return counts


def compare(
    title: str, work: Work, reference: str, limit: float, times: float = 1.0
) -> dict[str, float]:
    """Run and print: the time of each, its ratio to the reference's, and how much of ``limit``,
    the GFLOP/s of a large matrix product in float32, its own products reach; the medians.

    Args:
        times: how often the work would be done; its seconds are multiplied by it.
    """
    seconds = medians(work)
    print(f"\n{title}")
    for name, count in products(work).items():
        ratio = seconds[name] / seconds[reference]
        speed = count / seconds[name] / 1e9
        print(
            f"  {name:32} {seconds[name] * times * 1000:10.1f} ms  {ratio:6.2f} ×"
            f"  {speed:6.0f} GFLOP/s  {speed / limit:4.0%}"
        )
    return seconds
