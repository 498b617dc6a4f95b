"""Memory of this computer and its devices; keep freed memory in the process.

glibc returns the memory of large tensors as soon as they are freed. The system clears it page by
page when it is allocated again, and scoring then takes 1.5 times as long, as does training with
large batches.
"""

import os
import sys
from functools import cache

import torch

_LARGEST = 32 * 2**20 - 2**16  # bytes; glibc ignores larger blocks when it adapts its threshold


@cache
def keep_freed_memory() -> None:
    """Make glibc keep up to 64 MB of freed memory. Without effect on other C libraries.

    glibc keeps twice the size of the largest block that was once mapped and freed (``mallopt(3)``,
    "dynamic mmap threshold"). The block is never written to, so it takes no memory itself.
    """
    torch.empty(_LARGEST, dtype=torch.uint8, device="cpu")


@cache
def physical_memory() -> int:
    """Memory of this computer in bytes; a very large number where the system does not tell."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no such call
        return sys.maxsize


def memory_of(device: torch.device) -> int:
    """Memory of a device in bytes: that of a GPU of its own, else that of the computer."""
    if device.type == "cuda":
        return torch.cuda.get_device_properties(device).total_memory
    return physical_memory()
