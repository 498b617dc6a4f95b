"""Batches of images that are scored on when their page is closed, and found again by their link.

The link has a key that nobody can guess. A batch and its files are forgotten half an hour after its
end, earlier if others need the memory.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import streamlit as st

from app.services.scheduler import Scheduler, scheduler
from app.views.score.desk import Desk
from app.views.score.inputs import Upload
from app.views.score.job import Job

PARAMETER = "batch"
_KEPT_FOR = 30 * 60.0  # seconds after the end of a batch
_MOST_BYTES = 400 * 2**20  # of the files of all batches
_WORTH_IT = 10.0  # seconds left, below which nobody needs to leave
_SWEPT_EVERY = 60.0  # seconds


@dataclass
class Batch:
    """Images that somebody asked to be scored to the end.

    Attributes:
        ended: time at which it was first seen that all work was done; None before.
    """

    job: Job
    uploads: Sequence[Upload]
    ended: float | None = None

    @property
    def bytes(self) -> int:
        """Size of the files in bytes."""
        return sum(len(upload.data) for upload in self.uploads)


class Batches:
    """The batches of this server by their keys."""

    def __init__(
        self,
        threads: Scheduler,
        most_bytes: int = _MOST_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = threads
        self._most_bytes = most_bytes
        self._clock = clock
        self._kept: OrderedDict[str, Batch] = OrderedDict()
        self._turn = threading.RLock()

    def keep(self, job: Job, uploads: Sequence[Upload], key: str | None = None) -> str | None:
        """Score the images to the end, whoever looks.

        Args:
            key: of a batch that this one replaces.

        Returns:
            The key of the batch; None if there is no room for its files.
        """
        batch = Batch(job, uploads)
        with self._turn:
            self.forget(key)
            if not self._make_room(batch.bytes):
                return None
            key = key or secrets.token_urlsafe(16)
            self._kept[key] = batch
        self._threads.keep(key, job)
        return key

    def find(self, key: str) -> Batch | None:
        """Return the batch of a key; None if there is none, or no longer."""
        with self._turn:
            self.sweep()
            return self._kept.get(key)

    def go_on(self, key: str) -> None:
        """Score on without a page, also after a stop."""
        batch = self.find(key)
        if batch is not None and batch.job.working:
            self._threads.keep(key, batch.job)

    def forget(self, key: str | None) -> None:
        """Stop a batch unless a page shows it, and let go of its files."""
        if key is None:
            return
        with self._turn:
            self._kept.pop(key, None)
        self._threads.release(key)

    def sweep(self) -> None:
        """Forget the batches that ended long ago."""
        now = self._clock()
        with self._turn:
            for key, batch in list(self._kept.items()):
                if batch.job.working:
                    batch.ended = None
                elif batch.ended is None:
                    batch.ended = now
                elif now - batch.ended > _KEPT_FOR:
                    self.forget(key)

    def _make_room(self, wanted: int) -> bool:
        """Forget ended batches, the oldest first, until ``wanted`` bytes are free."""
        ended = [key for key, batch in self._kept.items() if not batch.job.working]
        while self._bytes + wanted > self._most_bytes and ended:
            self.forget(ended.pop(0))
        return self._bytes + wanted <= self._most_bytes

    @property
    def _bytes(self) -> int:
        return sum(batch.bytes for batch in self._kept.values())


@cache
def batches() -> Batches:
    """Return the batches of this server, and look every minute for those that ended long ago."""
    made = Batches(scheduler())

    def sweep_again_and_again() -> None:
        while True:
            time.sleep(_SWEPT_EVERY)
            made.sweep()

    threading.Thread(target=sweep_again_and_again, name="ended batches", daemon=True).start()
    return made


def take_up(mine: Desk) -> None:
    """Show the batch that the link names, unless this session has images of its own."""
    key = st.query_params.get(PARAMETER)
    if key is None or mine.uploads:
        return
    batch = batches().find(key)
    if batch is None:
        st.info(
            "The batch of this link is no longer kept. Batches are forgotten half an hour after "
            "their end, or when the app ends.",
            icon=":material/history:",
        )
        return
    mine.kept = list(batch.uploads)
    mine.reading, mine.known, mine.job = batch.job.reading, batch.job.known, batch.job


def offer(mine: Desk, job: Job) -> None:
    """Draw a button by which long work goes on without its page, or say that it does."""
    key = st.query_params.get(PARAMETER)
    batch = batches().find(key) if key else None
    if key and batch is not None and mine.uploads:
        if batch.job is not job:
            batches().keep(job, mine.uploads, key)
        batches().go_on(key)
        st.caption(
            ":material/all_inclusive: This batch goes on when you close the page. The page's "
            "address brings it back until half an hour after its end, to whoever has the address."
        )
    elif job.working and mine.uploads and (job.seconds_left or 0.0) > _WORTH_IT:
        st.button(
            "Go on without this page",
            on_click=_keep,
            args=(mine, job),
            key="score-keep",
            icon=":material/all_inclusive:",
            type="tertiary",
            help="Scores all images even if you close the page. Its address then brings the table "
            "back, in any browser. Your files stay in the server's memory until half an hour after "
            "the end.",
        )


def _keep(mine: Desk, job: Job) -> None:
    key = batches().keep(job, mine.uploads)
    if key is None:
        st.toast("Batches of others take all the memory that there is. Keep this page open.")
    else:
        st.query_params[PARAMETER] = key
