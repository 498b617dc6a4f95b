"""Choice of the device that computations run on."""

import torch

from vae_core.basics.errors import UserError


class DeviceError(UserError, RuntimeError):
    """The device that was asked for does not exist."""


def resolve_device(name: str | torch.device) -> torch.device:
    """Resolve the name of a device. ``auto`` is CUDA if it exists, else Apple's MPS, else the CPU.

    Raises:
        DeviceError: if the device that was named is not available, or no such device exists.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if name == "auto":
        return torch.device("cuda" if cuda else "mps" if mps else "cpu")
    try:
        device = torch.device(name)
    except (RuntimeError, TypeError) as error:
        raise DeviceError(f"There is no device {name!r}. Choose 'auto' or 'cpu'.") from error
    count = torch.cuda.device_count() if cuda else 0
    no_cuda = device.type == "cuda" and (device.index or 0) >= count
    if no_cuda or (device.type == "mps" and not mps):
        raise DeviceError(
            f"The device {str(device)!r} is not available here. Choose 'auto' or 'cpu', or check "
            "that the installed PyTorch supports your GPU."
        )
    return device
