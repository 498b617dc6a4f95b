"""Share of each kind of operation in the time of a computation."""

from collections import Counter
from collections.abc import Callable

from torch.profiler import ProfilerActivity, profile

KINDS = {
    "matrix products, convolutions": ("mm", "linear", "conv", "bmm"),
    "Adam": ("adam", "foreach"),
    "random numbers": ("normal", "random", "bernoulli", "uniform", "randperm"),
    "exp, log and their like": ("sigmoid", "exp", "log", "tanh", "softplus", "prod"),
    "copies and gathers": ("copy", "cat", "index", "gather", "_to"),
}
REST = "everything else, calls from Python included"


def print_profile(title: str, work: Callable[[], object]) -> None:
    """Run the work and print the share of each kind of operation in its time."""
    work()
    with profile(activities=[ProfilerActivity.CPU]) as recorded:
        work()
    shares = Counter(dict.fromkeys((*KINDS, REST), 0.0))
    for event in recorded.key_averages():
        shares[_kind(event.key)] += event.self_cpu_time_total
    print(f"  where the time of {title} goes:")
    for kind, value in shares.items():
        print(f"    {kind:46} {value / shares.total():4.0%}")


def _kind(name: str) -> str:
    name = name.lower().removeprefix("aten::")
    if "backward" in name:  # the operations that it calls are counted themselves
        return REST
    return next((kind for kind, parts in KINDS.items() if any(p in name for p in parts)), REST)
