"""Memory that tensors leave is kept for the next ones.

glibc gives freed memory back to the system, which clears it page by page when it is asked for
again: scoring then takes half as long again, and so does training with large batches.
"""

from functools import cache

import torch

_LARGEST = 32 * 2**20 - 2**16  # bytes; a larger block teaches glibc nothing


@cache
def keep_freed_memory() -> None:
    """Have glibc keep up to 64 MB of what is freed; other C libraries take no notice.

    It keeps twice the size of the largest block that was once mapped and freed (``mallopt(3)``,
    "dynamic mmap threshold"). The block is never written to, so it takes no memory itself.
    """
    torch.empty(_LARGEST, dtype=torch.uint8, device="cpu")
