"""Which device the work runs on."""

import torch

from vae_core.basics.errors import UserError


class DeviceError(UserError, RuntimeError):
    """A device that was asked for and is not there."""


def resolve_device(name: str) -> torch.device:
    """``auto`` is CUDA if there is one, else Apple's MPS, else the processor.

    Raises:
        DeviceError: if the device that was named is not available.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    if (name == "cuda" and not cuda) or (name == "mps" and not mps):
        raise DeviceError(
            f"The device {name!r} is not available here. Choose 'auto' or 'cpu', or check that "
            "the installed PyTorch supports your GPU."
        )
    return torch.device(name)
