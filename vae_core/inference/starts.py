"""Points of several images, and a choice of those that are far apart."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Points:
    """Latents of B images, a different number for each.

    Attributes:
        z: (N, d).
        image: index of the image that each belongs to, (N,), rising.
    """

    z: Tensor
    image: Tensor

    def __len__(self) -> int:
        return len(self.z)

    @classmethod
    def of(cls, table: Tensor, valid: Tensor) -> "Points":
        """Make the points of a table (B, S, d), from the places where ``valid`` (B, S) is true."""
        return cls(table[valid], valid.nonzero()[:, 0])

    def table(self, values: Tensor, images: int) -> tuple[Tensor, Tensor]:
        """Put values of the points, (N, …), into a table (B, S, …), S the most that an image has.

        Returns:
            The table, with 0 where an image has fewer, and a mask of what is filled, (B, S).
        """
        counts = self.image.bincount(minlength=images)
        most = int(counts.max()) if images else 0
        first = counts.cumsum(0) - counts
        place = torch.arange(len(self.image), device=self.image.device) - first[self.image]
        table = values.new_zeros(images, most, *values.shape[1:])
        table[self.image, place] = values
        return table, torch.arange(most, device=counts.device) < counts[:, None]


def far_apart(places: Tensor, valid: Tensor, distance: float, most: int) -> Tensor:
    """Choose points of each image in their order, except those close to one chosen before.

    Args:
        places: (B, S, d).
        valid: mask of the points to choose from, (B, S).
        distance: the smallest distance between two chosen points.
        most: the most to choose for each image.

    Returns:
        A mask of the chosen points, (B, S).
    """
    away = torch.cdist(places, places, compute_mode="donot_use_mm_for_euclid_dist")
    close = ~(away > distance)  # also where a place is NaN
    chosen = torch.zeros_like(valid)
    for i in range(valid.shape[1]):
        free = valid[:, i] & ~(close[:, i] & chosen).any(1)
        chosen[:, i] = free & (chosen.sum(1) < most)
    return chosen
