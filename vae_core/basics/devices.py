"""Choice of the device that computations run on."""

import torch

from vae_core.basics.errors import UserError


class DeviceError(UserError, RuntimeError):
    """The device that was asked for does not exist."""


def resolve_device(name: str) -> torch.device:
    """Resolve the name of a device. ``auto`` is CUDA if it exists, else Apple's MPS, else the CPU.

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
