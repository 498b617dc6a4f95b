"""Execute one run in this process: training, checkpoints, snapshots, final figures."""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors.torch import save

from vae_core.analysis.evaluation import evaluate
from vae_core.basics.errors import is_disk_full, is_out_of_memory
from vae_core.basics.files import replace_plain, replacing
from vae_core.basics.plain_files import open_plain
from vae_core.basics.progress import result_of
from vae_core.basics.strict_json import strict_json
from vae_core.basics.threads import share_cores_of_step
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import load_model, save_model
from vae_core.runs.failures import (
    WAITING_FOR_SPACE,
    failure_sentence,
    log_failure,
    waiting_sentence,
)
from vae_core.runs.own_data import check_dataset, dataset_of
from vae_core.runs.records import calibrate_steps, write_calibration
from vae_core.runs.reserve import keep_reserve, release_reserve
from vae_core.runs.run import (
    CHECKPOINT_FILE,
    EVALUATION_FILE,
    HELD_OUT_FILE,
    LAST_WEIGHTS_FILE,
    UNFINISHED,
    WEIGHTS_FILE,
    Run,
    RunError,
    State,
    Status,
)
from vae_core.runs.signals import ending_signals
from vae_core.runs.snapshots import due, write_snapshot
from vae_core.runs.store import find_run
from vae_core.runs.sweeping import sweep
from vae_core.runs.warm_start import start_of
from vae_core.settings.config import RunConfig
from vae_core.settings.protocol import HELD_OUT_IMAGES, HELD_OUT_SAMPLES
from vae_core.training.precision import denormals_flushed
from vae_core.training.trainer import (
    EpochDone,
    Finished,
    StateFormatError,
    Step,
    Training,
    keep_decoder,
)
from vae_core.wording.training_parts import training_parts

_STATUS_SECONDS = 0.5
_MODEL_SECONDS = 2.0
_CHECKPOINT_SECONDS = 5.0
_SOON = 1.0  # seconds of training until the first checkpoint after a death
_KEPT = "its model and its curves were kept. Duplicate it to train it again."


class _Ended(Exception):
    """Ends the run with this state. The checkpoint contains everything up to the current step."""

    def __init__(self, state: State) -> None:
        super().__init__(state)
        self.state: State = state


def execute(
    run: Run,
    on_status: Callable[[Status], None] = lambda _: None,
    devices: Path | None = None,
    only_if_queued: bool = False,
    wait_for_space: bool = False,
) -> State:
    """Work on a run until it is done, paused, stopped or failed, and return that state.

    If a checkpoint exists, training continues from it. A failure is written into the run's status
    as a sentence for the user, and its traceback into the log. A bug is written into the status
    too, and its traceback into ``worker.log`` in the run's folder; then the bug is raised again.
    Ctrl-C pauses the run at the next step. SIGTERM (a shutdown) leaves the run queued.

    Args:
        on_status: called with every status that is written.
        devices: a folder for locks; runs with the same folder take turns on a device.
        only_if_queued: do nothing if the run was cancelled before it began.
        wait_for_space: queue the run again if the disk is full; else it fails.

    Raises:
        RunError: if another process already works on the run.
        Exception: a bug, after it was recorded.
    """
    try:
        held = run.lock().acquire(timeout=2)
    except Timeout as error:
        raise RunError(f"Another process is training {run.name} already.") from error
    with held, ending_signals() as signals, denormals_flushed():
        before = run.status().state
        if before == "done" or (only_if_queued and before not in UNFINISHED):
            return before
        worker = _Execution(run, on_status, devices, signals)
        state: State = "done"
        phase, error, bug = "", "", None
        try:
            run.check_files()
            sweep(run.folder)
            keep_reserve(run.folder)
            run.claim()
            state = worker.work()
        except _Ended as ended:
            state = ended.state
        except KeyboardInterrupt:  # a second Ctrl-C: keep the last checkpoint
            state = "paused"
        except Exception as problem:
            worker.keep_best_model()
            state, error = "failed", failure_sentence(run, problem)
            if is_disk_full(problem) and wait_for_space:
                state = worker.requested_state() or "queued"
                if state == "queued":
                    phase, error = WAITING_FOR_SPACE, waiting_sentence(run, problem)
            bug = log_failure(run, problem)
        release_reserve(run.folder)
        run.clear_request()
        with contextlib.suppress(OSError):  # a full disk must not hide what went wrong
            on_status(run.update(state=state, phase=phase, error=error))
        if bug is not None:
            raise bug
        return state


def check_decoder(config: RunConfig) -> None:
    """Check the other run's decoder that a run will keep, if any, before the run is created.

    Raises:
        RunError: if that other run does not exist or cannot be read.
        ConfigError: if the decoder has another architecture.
    """
    source = _decoder_of(config)
    if source is not None:
        keep_decoder(VAE(config.model), source)


def _decoder_of(config: RunConfig) -> VAE | None:
    """Load the model whose decoder a run will keep; None if the run trains its own decoder."""
    if not config.decoder_of:
        return None
    try:
        return load_model(find_run(config.decoder_of).folder)
    except (RunError, OSError) as error:
        raise RunError(f"The decoder of {config.decoder_of!r} cannot be loaded: {error}") from error


class _Execution:
    """A run while this process works on it, with its training and the times of the last writes."""

    def __init__(
        self,
        run: Run,
        on_status: Callable[[Status], None],
        devices: Path | None,
        signals: list[State],
    ) -> None:
        self.run = run
        self.on_status = on_status
        self.devices = devices
        self.signals = signals
        self.training: Training | None = None
        # Time of the last write of each kind of file. A process that dies before its first
        # checkpoint counts as having died at the same place.
        self.written = {"checkpoint": time.monotonic()}
        self.unsaved_model = False

    def work(self) -> State:
        run = self.run
        self._status(state="running", phase="loading data", pid=os.getpid(), error="")
        data = dataset_of(run, self._report_download)
        self.training = training = Training(
            run.config, data, _decoder_of(run.config), start_of(run)
        )
        _share_cores(training)
        self._resume()
        if run.status().deaths:  # a process that lives a little longer than the last gets further
            self.written["checkpoint"] = time.monotonic() - _CHECKPOINT_SECONDS + _SOON
        with self._turn_on_device():
            for event in training.events():
                self._handle(event)
            self._final_figures()
        return "done"

    @contextlib.contextmanager
    def _turn_on_device(self) -> Iterator[None]:
        """Allow one run at a time on a device. The others wait, and can be cancelled meanwhile."""
        assert self.training is not None
        device = str(self.training.device)
        if self.devices is None:
            self._status(phase="training", device=device)
            yield
            return
        lock = FileLock(self.devices / f".device-{device.replace(':', '-')}.lock")
        while True:
            try:
                held = lock.acquire(timeout=0.5)
                break
            except Timeout:
                self._status(phase="waiting for the device", device=device)
                self._stop_if_requested()
        with held:
            self._status(phase="training", device=device)
            yield

    def _handle(self, event: Step | EpochDone | Finished) -> None:
        if isinstance(event, Step):
            if event.running and self._is_time("status", _STATUS_SECONDS):
                self._report_progress(terms=event.running)
            if self._is_time("checkpoint", _CHECKPOINT_SECONDS):
                self.checkpoint()
            self._stop_if_requested()
        elif isinstance(event, EpochDone):
            self._record_epoch(event)
        else:
            self._save_model()
            self._save_last_weights()
            self._report_progress()  # before the checkpoint, which a full disk may refuse
            self.checkpoint()

    def _report_progress(self, **more: Any) -> None:
        """Write the current epoch and step into the status."""
        assert self.training is not None
        progress, steps = self.training.progress, self.training.steps
        between_epochs = progress.step == 0 and progress.epoch > 1
        self._status(
            epoch=progress.epoch - between_epochs,
            step=steps if between_epochs else progress.step,
            steps=steps,
            seconds=progress.seconds,
            best_epoch=progress.best_epoch,
            **more,
        )

    def _record_epoch(self, event: EpochDone) -> None:
        assert self.training is not None
        run, training = self.run, self.training
        run.append_metrics(event.metrics)
        self.unsaved_model |= event.improved
        if due(event.epoch, run.config.train.epochs):
            write_snapshot(run.folder, training.model, training.data, event.epoch)
        if self.unsaved_model and self._is_time("model", _MODEL_SECONDS):
            self._save_model()

    def _save_model(self) -> None:
        """Save the kept weights and their epoch. During training they are not the current ones."""
        assert self.training is not None
        path = self.run.folder / WEIGHTS_FILE
        save_model(self.training.model, path, self.training.best)
        self.unsaved_model = False
        self._status(best_epoch=self.training.progress.best_epoch)

    def _save_last_weights(self) -> None:
        """Save the weights of the last step, for those who prefer them to the kept ones."""
        assert self.training is not None
        path = self.run.folder / LAST_WEIGHTS_FILE
        save_model(self.training.model, path, self.training.last)

    def keep_best_model(self) -> None:
        """After a failure, write the kept weights if they are newer than the weights on disk."""
        if self.unsaved_model:
            with contextlib.suppress(OSError):
                self._save_model()

    def checkpoint(self) -> None:
        """Write ``resume.pt`` in one step. The run can continue exactly from here."""
        if self.training is None:
            return
        with replacing(self.run.folder / CHECKPOINT_FILE) as file:
            torch.save(self.training.state_dict(), file)
        if self.run.status().deaths:
            self._status(deaths=0)

    def _resume(self) -> None:
        """Load the checkpoint if it exists, and drop the metrics that were recorded after it."""
        assert self.training is not None
        path = self.run.folder / CHECKPOINT_FILE
        if path.is_file():
            check_dataset(self.run, every_byte=True)
            try:
                with open_plain(path) as file:
                    device = self.training.device
                    state = torch.load(file, map_location=device, weights_only=True)
                state["generator"] = state["generator"].cpu()
                self.training.load_state_dict(state)
            except StateFormatError as error:
                raise RunError(
                    "This run was paused by another version of the program, so it cannot continue; "
                    f"{_KEPT}"
                ) from error
            except Exception as error:  # any kind: a damaged file may contain anything
                if is_out_of_memory(error):
                    raise
                raise RunError(
                    f"The checkpoint of this run is damaged, so it cannot continue; {_KEPT}"
                ) from error
        self.run.cut_metrics(self.training.progress.epoch - 1)

    def requested_state(self) -> State | None:
        """State in which the user or a signal asked the run to end; None if nobody did."""
        states: dict[str, State] = {"pause": "paused", "stop": "stopped"}
        return self.signals[0] if self.signals else states.get(self.run.requested())

    def _stop_if_requested(self) -> None:
        """Save everything and stop if the user or a signal asked the run to pause or stop."""
        state = self.requested_state()
        if state is None:
            return
        self.checkpoint()
        if self.training is not None:
            if self.training.progress.epoch > 1:
                self._save_model()
                self._save_last_weights()
            self._report_progress()
        raise _Ended(state)

    def _final_figures(self) -> None:
        """Score held-out images, for the final figures of the run and for its calibration."""
        assert self.training is not None
        training, config = self.training, self.run.config
        training.model.eval()
        figures, scores = evaluate(
            training.model,
            training.data,
            "test",
            config.train.binarisation,
            HELD_OUT_SAMPLES,
            HELD_OUT_IMAGES,
            on_progress=partial(self._report_share, "scoring held-out images"),
        )
        held_out = {"log_px": scores.log_px, "elbo": scores.elbo}
        replace_plain(self.run.folder / HELD_OUT_FILE, save(held_out))
        if kept := self.run.kept_epoch():
            figures["kept"] = kept
        if parts := training_parts(config):
            figures["trained"] = parts
        replace_plain(self.run.folder / EVALUATION_FILE, strict_json(figures, indent=2) + "\n")
        if config.model.is_conditional:  # a verdict needs figures of p(x) alone
            return
        steps = calibrate_steps(self.run, training.model, training.data)
        report = partial(self._report_share, "calibrating the score")
        write_calibration(result_of(steps, report), self.run.folder)

    def _report_share(self, phase: str, share: float) -> None:
        if self._is_time("status", _STATUS_SECONDS):
            self._status(phase=f"{phase}, {share:.0%}")
            self._stop_if_requested()

    def _report_download(self, done: int, total: int | None) -> None:
        if self._is_time("status", _STATUS_SECONDS):
            of = f" of {total / 1e6:.0f}" if total else ""
            self._status(phase=f"downloading, {done / 1e6:.0f}{of} MB")
            self._stop_if_requested()

    def _status(self, **changes: Any) -> None:
        self.on_status(self.run.update(**changes))

    def _is_time(self, what: str, seconds: float) -> bool:
        now = time.monotonic()
        if now - self.written.get(what, -1e9) < seconds:
            return False
        self.written[what] = now
        return True


def _share_cores(training: Training) -> None:
    weights = sum(parameter.numel() for parameter in training.model.parameters())
    settings = training.config.train
    latents = settings.batch_size * settings.samples * settings.iwae_samples
    share_cores_of_step(weights, latents)
