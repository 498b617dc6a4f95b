"""Errors whose message is written for the user, and the sentence that a user reads of an error."""

import errno
from collections.abc import Collection

_GPUS = ("CUDA", "HIP", "MPS")
_QUOTA = getattr(errno, "EDQUOT", errno.ENOSPC)  # Windows has no such error
_NO_SPACE = (errno.ENOSPC, _QUOTA)
_NOT_WRITTEN = {
    _QUOTA: ("Your quota on this disk is used up", "Free some space, then try again."),
    errno.ENOSPC: ("The disk is full", "Free some space, then try again."),
    errno.EROFS: ("The disk is read-only", "Choose another folder, or make the disk writable."),
}
"""Why a file could not be written, and what to do, by the error of the operating system."""
_NO_MEMORY = ("out of memory", "can't allocate memory")  # a GPU; the processor


class UserError(Exception):
    """Mixin of every exception whose message is a sentence for the user.

    The command line and the pages show the message. Every other exception is a bug and is shown
    with its traceback. A subclass also inherits from the built-in exception that fits::

        class ConfigError(UserError, ValueError): ...
    """


class InvalidArgument(UserError, ValueError):
    """A value that a public function cannot work with."""


def check_choice(label: str, value: object, known: Collection[str]) -> None:
    """Check that a value is one of the known names.

    Raises:
        InvalidArgument: otherwise, with the names that are known.
    """
    if value not in known:
        raise InvalidArgument(f"{label} must be one of {', '.join(known)}; it was {value!r}.")


def sentence_of(error: BaseException) -> str | None:
    """The sentence that a user reads of an error, or None if the error is a bug.

    A user can cause and mend three kinds of error: a :class:`UserError`, too little memory, and
    what the operating system refuses, such as a file that may not be read or a full disk.
    """
    if isinstance(error, UserError):
        return str(error)
    if is_out_of_memory(error):
        device = "GPU" if any(each in str(error) for each in _GPUS) else "computer"
        return (
            f"The {device} ran out of memory. Fewer samples, a smaller batch or a smaller network "
            "needs less."
        )
    return _of_the_system(error) if isinstance(error, OSError) else None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out, of the processor or of a GPU.

    PyTorch has an exception of its own for CUDA only; elsewhere it raises a plain RuntimeError,
    which is known by its text.
    """
    if isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(each in str(error) for each in _NO_MEMORY)


def why_disk_full(error: BaseException) -> str:
    """Say in a sentence why there was no space: the disk is full, or the user's quota used up."""
    number = error.errno if isinstance(error, OSError) else None
    return f"{_NOT_WRITTEN[_QUOTA if number == _QUOTA else errno.ENOSPC][0]}."


def is_disk_full(error: BaseException) -> bool:
    """Whether a file could not be written for lack of space, or of the user's quota of it."""
    return isinstance(error, OSError) and error.errno in _NO_SPACE


def _of_the_system(error: OSError) -> str:
    """What the operating system refused, without Python's error number."""
    files = [repr(each) for each in (error.filename, error.filename2) if each is not None]
    if files and error.errno in _NOT_WRITTEN:
        why, advice = _NOT_WRITTEN[error.errno]
        return f"{why}, so {' and '.join(files)} could not be written. {advice}"
    if error.strerror is None:
        return str(error) or type(error).__name__
    return f"{' and '.join(files)}: {error.strerror}." if files else f"{error.strerror}."
