"""Warnings for people who use this package from Python."""

import sys
import warnings

_NOT_CALLERS = ("vae_core", "torch")  # PyTorch's decorators lie between functions of this package


class GreyImages(UserWarning):
    """Grey images were given to a model whose likelihood is for binary images.

    Python shows it once for each line of the calling program. Pages and commands say the same in
    the text of their results, so they call :func:`say_it_elsewhere`.
    """


def warn_caller(message: str, category: type[Warning]) -> None:
    """Warn with the file and line of the program that called this package."""
    level, frame = 1, sys._getframe()
    while frame is not None and _package(frame.f_globals) in _NOT_CALLERS:
        level, frame = level + 1, frame.f_back
    warnings.warn(message, category, stacklevel=level)


def say_it_elsewhere() -> None:
    """Show no :class:`GreyImages` in this process, because its own output names the pixels."""
    warnings.simplefilter("ignore", GreyImages)


def _package(names: dict[str, object]) -> str:
    return str(names.get("__name__", "")).partition(".")[0]
