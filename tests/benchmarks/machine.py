"""The processor of this computer, and its speed of matrix products, which limits everything."""

import platform
import statistics
import time
from pathlib import Path

import torch

_SIDE, _ROUNDS = 2048, 7


def processor() -> str:
    """Name of the processor, as the system reports it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(": ")[1] for line in lines if line.startswith("model name")), "unknown")


def gemm_limit(dtype: torch.dtype) -> float:
    """GFLOP/s of a large square matrix product, the median of several."""
    a, b = (torch.randn(_SIDE, _SIDE).to(dtype) for _ in range(2))
    torch.mm(a, b)
    seconds = []
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        torch.mm(a, b)
        seconds.append(time.perf_counter() - start)
    return 2 * _SIDE**3 / statistics.median(seconds) / 1e9


def describe() -> str:
    """Describe the computer in a paragraph, to print above figures."""
    limits = ", ".join(
        f"{name} {gemm_limit(dtype):,.0f}"
        for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16))
    )
    return (
        f"{time.strftime('%Y-%m-%d')} · {processor()}, {torch.get_num_threads()} threads · "
        f"torch {torch.__version__}\nlargest matrix products, GFLOP/s: {limits}"
    )
