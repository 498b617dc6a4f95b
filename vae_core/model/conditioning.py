"""Networks that also take the class y of an image: q(z|x, y) and p(x|z, y) (note §1).

A class enters as a one-hot vector: beside z into the decoder; beside the pixels into the encoder,
or as constant channels if the encoder is convolutional. So every network works with classes.
"""

import torch
from torch import Tensor, nn

from vae_core.basics.errors import InvalidArgument
from vae_core.model.networks import ConvEncoder, Decoder


class NeedsClass(InvalidArgument):
    """A model of p(x|y) was used without a class."""

    def __init__(self) -> None:
        super().__init__(
            "This model is conditional on the class: it describes p(x|y), so this needs a class, "
            "or does not apply. `classify` and `evaluate` sum over the classes; in Python, "
            "`model.given(y)` chooses one."
        )


class GivenClass:
    """One class for all images, or a class for each image of a batch, as one-hot rows.

    Args:
        classes: number of classes.
        labels: a class; or classes (B,), which then fit only batches of just these B images.

    Raises:
        InvalidArgument: if a label is not one of the classes. Labels on a GPU are not checked.
    """

    def __init__(self, classes: int, labels: Tensor | int) -> None:
        labels = torch.as_tensor(labels, dtype=torch.long)
        checkable = labels.device.type == "cpu"
        if checkable and ((labels < 0) | (labels >= classes)).any():
            raise InvalidArgument(f"A class must be a number from 0 to {classes - 1}.")
        self._labels = labels
        self._classes = classes

    def rows(self, like: Tensor) -> Tensor:
        """One-hot rows (N, classes) for the rows of ``like`` (N, …), samples before images.

        Raises:
            InvalidArgument: if there are other images than labels.
        """
        count = len(like)
        labels, every = (
            self._labels.to(like.device),
            torch.arange(self._classes, device=like.device),
        )
        one_hot = (labels[..., None] == every).to(like.dtype)
        if one_hot.dim() == 1:
            return one_hot.expand(count, -1)
        if count % max(1, len(one_hot)):
            raise InvalidArgument(f"There are {len(one_hot)} classes for {count} rows of images.")
        return one_hot.repeat(count // max(1, len(one_hot)), 1)

    def check_images(self, x: Tensor) -> None:
        """Check that there is one label for each image, or one for all.

        Raises:
            InvalidArgument: otherwise.
        """
        if self._labels.dim() and len(self._labels) != len(x):
            raise InvalidArgument(f"There are {len(self._labels)} classes for {len(x)} images.")


class ConditionalEncoder(nn.Module):
    """An encoder of images and their class. ``inner`` takes so many more pixels or channels."""

    def __init__(self, inner: nn.Module, given: GivenClass | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.features: int = inner.features  # type: ignore[assignment]
        self._given = given

    def given(self, given: GivenClass) -> "ConditionalEncoder":
        """The same network for a class."""
        return ConditionalEncoder(self.inner, given)

    def forward(self, x: Tensor) -> Tensor:  # (B, C, H, W) -> (B, F)
        if self._given is None:
            raise NeedsClass
        self._given.check_images(x)
        one_hot = self._given.rows(x)
        if isinstance(self.inner, ConvEncoder):
            planes = one_hot[..., None, None].expand(-1, -1, *x.shape[2:])
            return self.inner(torch.cat([x, planes], 1))
        return self.inner(torch.cat([x.flatten(1), one_hot], 1))


class ConditionalDecoder(Decoder):
    """A decoder of latents and a class. ``inner`` takes latents of size d + classes."""

    def __init__(self, inner: Decoder, given: GivenClass | None = None) -> None:
        super().__init__()
        self.inner = inner
        self.row_floats = inner.row_floats
        self._given = given

    def given(self, given: GivenClass) -> "ConditionalDecoder":
        """The same network for a class."""
        return ConditionalDecoder(self.inner, given)

    def forward(self, z: Tensor) -> Tensor:
        return self.inner(self._with_class(z))

    def with_jacobian(self, z: Tensor) -> tuple[Tensor, Tensor]:
        outputs, columns = self.inner.with_jacobian(self._with_class(z))
        return outputs, columns[:, : z.shape[1]]

    def set_output_bias(self, outputs: Tensor) -> None:
        """Start from the given outputs for every latent and class, (P·C, H, W)."""
        self.inner.set_output_bias(outputs)

    def _with_class(self, z: Tensor) -> Tensor:
        if self._given is None:
            raise NeedsClass
        return torch.cat([z, self._given.rows(z)], 1)
