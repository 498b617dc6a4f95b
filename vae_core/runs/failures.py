"""A run that fails: the sentence for the user, and the traceback in a log."""

import contextlib
import errno
import logging
import os
import time
from traceback import format_exception

from vae_core.basics.errors import is_disk_full, is_out_of_memory, sentence_of, why_disk_full
from vae_core.basics.plain_files import kind_of, open_to_append
from vae_core.basics.text import printable, printable_lines
from vae_core.runs.run import CHECKPOINT_FILE, LOG_FILE, UNFINISHED, Run, Status

WAITING_FOR_SPACE = "waiting for space on the disk"
"""Phase of a queued run that found the disk full."""

log = logging.getLogger(__name__)


def has_checkpoint(run: Run) -> bool:
    """Whether a run can continue from a checkpoint, which is always a whole one."""
    try:
        return kind_of(run.folder / CHECKPOINT_FILE) == "a file"
    except OSError:
        return False


def what_was_kept(run: Run) -> str:
    """State whether a run has a checkpoint to continue from."""
    if has_checkpoint(run):
        return "The last checkpoint was kept."
    return "There is no checkpoint yet, so the training would start from the beginning."


def failure_sentence(run: Run, error: Exception) -> str:
    """Return the sentence that tells the user why a run failed."""
    if is_disk_full(error):
        return f"{why_disk_full(error)} {_how_to_continue(run, 'free some space and resume')}"
    sentence = sentence_of(error)
    if sentence is None:
        return (
            f"An unexpected error ({type(error).__name__}) ended the training. "
            f"{what_was_kept(run)} The details are in {LOG_FILE} in the run's folder."
        )
    return f"{sentence} {what_was_kept(run)}" if is_out_of_memory(error) else sentence


def waiting_sentence(run: Run, error: Exception | None = None) -> str:
    """Return the sentence for a run that continues by itself when the disk has space again.

    Args:
        error: what the run found; None if its process could not write that.
    """
    by_itself = "the run continues by itself when there is space"
    why = why_disk_full(error or OSError(errno.ENOSPC, ""))
    return f"{why} {_how_to_continue(run, by_itself)}"


def is_writable(run: Run) -> bool:
    """Whether files can be written in the folder of a run, as far as the system says so."""
    return os.access(run.folder, os.W_OK | os.X_OK)


def standstill_sentence(run: Run, status: Status) -> str:
    """Say why an unfinished run does not go on, if its folder can no longer be written.

    The status of such a run may still say "running", because its process could not write that it
    ended. The sentence is empty for all other runs.
    """
    if status.state not in UNFINISHED or is_writable(run) or run.is_alive():
        return ""
    by_itself = "the run continues by itself when the folder can be written again"
    return f"The folder of this run cannot be written. {_how_to_continue(run, by_itself)}"


def _how_to_continue(run: Run, then: str) -> str:
    if has_checkpoint(run):
        return f"The last checkpoint was kept: {then}."
    return f"There is no checkpoint yet: {then}, from the beginning."


def log_failure(run: Run, error: Exception) -> Exception | None:
    """Write the traceback of an error into a log, and return the error if it is a bug.

    The traceback of a bug goes into the log file of the run, which the status of the run names.
    The caller shows the sentence of any other error, so its traceback is for the worker's log only.
    """
    if sentence_of(error) is not None:
        log.info("The run %s failed", printable(run.id), exc_info=error)
        return None
    when = time.strftime("%Y-%m-%d %H:%M:%S")
    lines = f"{when} The run {printable(run.id)} failed\n" + "".join(format_exception(error))
    with contextlib.suppress(OSError), open_to_append(run.folder / LOG_FILE) as file:
        file.write(printable_lines(lines).encode())
    return error
