"""Loading of images as in the examples of others: one by one, by Pillow, in this process."""

from collections.abc import Iterator

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset


class ImageByImage(TorchDataset[tuple[Tensor, int]]):
    """torchvision's MNIST with its ToTensor: uint8 to a Pillow image to float32 in [0, 1]."""

    def __init__(self, images: Tensor) -> None:
        self.images = images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = Image.fromarray(self.images[index, 0].numpy())
        pixels = torch.from_numpy(np.array(image, np.uint8, copy=True)).view(28, 28, 1)
        return pixels.permute(2, 0, 1).contiguous().to(torch.float32).div(255), 0


def batches(images: Tensor, size: int) -> Iterator[Tensor]:
    """Shuffled batches (B, 1, 28, 28), loaded as above."""
    for x, _ in DataLoader(ImageByImage(images), batch_size=size, shuffle=True):
        yield x
