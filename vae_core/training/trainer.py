"""Training as a generator of events. It knows nothing of files, processes or pages.

The consumer of the events decides what to write, show or stop. It may leave at any event: a
:meth:`Training.state_dict` taken there continues from exactly that step.
"""

import copy
import math
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from vae_core.basics.devices import resolve_device
from vae_core.basics.errors import UserError
from vae_core.basics.memory import keep_freed_memory
from vae_core.basics.seeding import continue_generator
from vae_core.data.datasets import Dataset
from vae_core.data.pixels import binarise
from vae_core.model.vae import VAE
from vae_core.settings.config import RunConfig, TrainConfig
from vae_core.settings.data_sets import Split
from vae_core.settings.fields import ConfigError
from vae_core.settings.protocol import Protocol
from vae_core.training.adam import Adam
from vae_core.training.augmentation import AUGMENTATIONS
from vae_core.training.cuda_graphs import Replayed, cuda_graphs
from vae_core.training.objective import check_labels, training_loss
from vae_core.training.precision import Precision, resolve_precision, training_precision
from vae_core.training.schedule import kl_weight_at, learning_rate_at, warmup_epochs
from vae_core.training.start import start_from_data, start_from_weights
from vae_core.training.validation import evaluate_epoch, importance_estimate

_CHECK_SECONDS = 0.3  # how often the running figures are read back from the device
_TERMS = ("elbo", "log_px_z", "kl")
_STATE_FORMAT = 2  # counts up when a state of before can no longer be gone on from

Reason = Literal["all epochs done", "no better validation ELBO", "no better validation objective"]


class StateFormatError(UserError, ValueError):
    """The saved state of a training has a format that this version of the program cannot read."""


class Diverged(UserError, RuntimeError):
    """The loss became NaN or infinite. The model holds the kept weights again."""


class NoImages(UserError, ValueError):
    """A split that training needs has no images."""


@dataclass(frozen=True)
class Step:
    """Event: one optimiser step was made."""

    epoch: int
    step: int
    steps: int
    running: dict[str, float] | None  # training terms of this epoch so far, a few times a second


@dataclass(frozen=True)
class EpochDone:
    """Event: an epoch ended. ``metrics`` is its row, with the protocol of every figure.
    ``improved``: whether the kept weights are other ones now."""

    epoch: int
    metrics: dict[str, Any]
    improved: bool


@dataclass(frozen=True)
class Finished:
    """Event: training ended. The model holds the weights of the kept epoch."""

    epoch: int
    reason: Reason


Event = Step | EpochDone | Finished


@dataclass
class Progress:
    """Position in the training, besides the weights."""

    epoch: int = 1
    step: int = 0  # steps of this epoch that are done
    seconds: float = 0.0
    best_value: float = -math.inf  # of the criterion; of no epoch while the KL's weight rises
    best_epoch: int = 0  # the kept epoch; 0 is the untrained model
    untrained: float | None = None  # the criterion of the untrained model


class Training:
    """Training of one run, from the start or from a :meth:`state_dict`.

    Reproducible: the same config on the same machine gives the same figures.

    The kept weights are those with the best criterion (:mod:`vae_core.training.criterion`), among
    the untrained model and all epochs that end with the full weight of the KL. Until that weight is
    full, the newest epoch is kept.

    Attributes:
        best: the kept weights.
        last: the weights of the last step, after training ended.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Dataset,
        decoder_of: VAE | None = None,
        start: VAE | None = None,
    ) -> None:
        """Build the model.

        Args:
            decoder_of: a model whose decoder is copied and not trained.
            start: a model with whose weights training begins; it counts as the untrained model.

        Raises:
            ConfigError: if one of these models has another architecture or is missing.
            NoImages: if the data set has no training or no validation images.
            InvalidArgument: if a model with classes has no such class as a label.
            DeviceError: if the device is not available.
        """
        keep_freed_memory()
        _check_splits(data)
        self.config = config
        self.device = resolve_device(config.train.device)
        self.data = data.to(self.device)
        self.images, self.labels = self.data.split("train")
        if config.model.class_head != "none" or config.model.is_conditional:
            check_labels(config.model.classes, self.labels)
        settings = config.train
        with torch.random.fork_rng():
            torch.manual_seed(settings.seed)
            self.model = VAE(config.model).to(self.device)
        if config.start_from and start is None:
            raise ConfigError("The config names weights to start from: give their model as start.")
        if start is None:
            start_from_data(self.model, self.images, settings.seed)
        else:
            start_from_weights(self.model, start)
        if config.model.is_conditional:
            self.model.set_class_prior(self.labels)
        if decoder_of is not None:
            keep_decoder(self.model, decoder_of)
        self.precision: Precision = resolve_precision(
            settings.precision, self.device, config.model.pixels
        )
        self.augment = AUGMENTATIONS[settings.augment]
        self.optimiser = Adam(self.model.parameters())
        self.generator = torch.Generator(self.device).manual_seed(settings.seed)
        self.progress = Progress()
        self.sums = torch.zeros(len(_TERMS), device=self.device)  # this epoch's terms so far
        self.best = self.untrained = copy.deepcopy(self.model.state_dict())
        self.last: dict[str, Tensor] | None = None
        self.steps = math.ceil(len(self.images) / settings.batch_size)
        self.make_step: Callable[[Tensor, float, float], None] = self._step
        if self.device.type == "cuda":
            self.make_step = Replayed(self._step, cuda_graphs(self.generator))

    def state_dict(self) -> dict[str, Any]:
        """Everything that is needed to continue: tensors, numbers and strings only."""
        return {
            "format": _STATE_FORMAT,
            "model": self.last or self.model.state_dict(),
            "best": self.best,
            "optimiser": self.optimiser.state_dict(),
            "generator": self.generator.get_state(),
            "sums": self.sums,
            "progress": dict(vars(self.progress)),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a :meth:`state_dict` of the same config.

        Raises:
            StateFormatError: if another version of the program made it.
        """
        if state.get("format") != _STATE_FORMAT:
            raise StateFormatError("It was made by another version of the program.")
        self.model.load_state_dict(state["model"])
        self.best = state["best"]
        self.optimiser.load_state_dict(state["optimiser"])
        self.sums.copy_(state["sums"])
        progress = dict(state["progress"])
        went_by_elbo = progress.pop("best_elbo", None) is not None  # whatever the objective
        self.progress = Progress(**progress)
        place = f"{self.config.train.seed}/{self.progress.epoch}/{self.progress.step}"
        continue_generator(self.generator, state["generator"], place)
        if went_by_elbo and self.progress.best_epoch >= self._first_candidate():
            self.progress.best_value = self._criterion_of(self.best)

    def events(self) -> Iterator[Event]:
        """Train, and yield an event after every step and every epoch.

        Raises:
            Diverged: when the loss is NaN or infinite; the model then holds the kept weights.
        """
        settings, progress = self.config.train, self.progress
        reason: Reason = "all epochs done"
        if progress.untrained is None:
            progress.untrained = self._criterion_of(self.untrained)
        while progress.epoch <= settings.epochs:
            if progress.step == 0 and self._is_out_of_patience():
                reason = _out_of_patience(settings)
                break
            yield from self._epoch()
            yield self._end_epoch()
        self.last = copy.deepcopy(self.model.state_dict())
        self.restore_best()
        yield Finished(progress.epoch - 1, reason)

    def _is_out_of_patience(self) -> bool:
        patience, progress = self.config.train.patience, self.progress
        since = max(progress.best_epoch, self._first_candidate() - 1)
        return bool(patience) and progress.epoch - 1 - since >= patience

    def _first_candidate(self) -> int:
        """The first epoch that ends with the full weight of the KL."""
        settings = self.config.train
        return max(1, math.ceil(warmup_epochs(settings))) if settings.beta else 1

    def restore_best(self) -> None:
        """Put the kept weights into the model."""
        self.model.load_state_dict(self.best)

    def _criterion_of(self, weights: dict[str, Tensor]) -> float:
        """Measure the criterion of other weights. The model keeps its own."""
        own = copy.deepcopy(self.model.state_dict())
        self.model.load_state_dict(weights)
        self.model.eval()
        value = evaluate_epoch(self.model, self.data, self.config.train).criterion["value"]
        self.model.train()
        self.model.load_state_dict(own)
        return value

    def _keep_if_better(self, value: float) -> bool:
        """Keep the weights of the epoch that ends now, if its criterion is the best.

        Returns:
            Whether the kept weights changed.
        """
        progress, before = self.progress, self.progress.best_epoch
        rises = progress.epoch < self._first_candidate()
        if not rises and progress.best_value == -math.inf:  # the first comparison
            progress.best_epoch, self.best = 0, self.untrained
            if progress.untrained is not None and math.isfinite(progress.untrained):
                progress.best_value = progress.untrained
        if math.isfinite(value) and (rises or value > progress.best_value):
            progress.best_value = -math.inf if rises else value
            progress.best_epoch = progress.epoch
            self.best = copy.deepcopy(self.model.state_dict())
        return progress.best_epoch != before

    def _epoch(self) -> Iterator[Step]:
        settings, progress = self.config.train, self.progress
        order = self._shuffled(progress.epoch)
        clock = last_check = time.perf_counter()
        while progress.step < self.steps:
            done = progress.epoch - 1 + progress.step / self.steps
            rate, kl_weight = (at(settings, done) for at in (learning_rate_at, kl_weight_at))
            first = progress.step * settings.batch_size
            self.make_step(order[first : first + settings.batch_size], rate, kl_weight)
            progress.step += 1
            running = None
            if time.perf_counter() - last_check > _CHECK_SECONDS or progress.step == self.steps:
                last_check = time.perf_counter()
                running = self._running_terms()  # waits for the device, which is training time too
            progress.seconds += time.perf_counter() - clock
            yield Step(progress.epoch, progress.step, self.steps, running)
            clock = time.perf_counter()  # the consumer's time is not training time

    def _shuffled(self, epoch: int) -> Tensor:
        """Order of the images in this epoch. It depends on the seed and the epoch only."""
        seed = zlib.crc32(f"{self.config.train.seed}/{epoch}".encode())
        order = torch.randperm(len(self.images), generator=torch.Generator().manual_seed(seed))
        return order.to(self.device)

    def _step(self, chosen: Tensor, rate: float | Tensor, kl_weight: float | Tensor) -> None:
        """Make one step of Adam on the images with these indices, without waiting for a GPU."""
        settings = self.config.train
        images = self.augment(self.images.index_select(0, chosen), self.generator)
        x = binarise(images, settings.binarisation, self.generator)
        with training_precision(self.model, self.precision):
            wanted = self.model.class_head is not None or self.model.config.is_conditional
            labels = self.labels.index_select(0, chosen) if wanted else None
            loss, terms = training_loss(self.model, x, settings, kl_weight, self.generator, labels)
            loss.backward()
        self.optimiser.step(rate, settings.gradient_clip)
        log_px_z, kl = terms.log_px_z.detach().mean(), terms.kl.detach().mean()
        means = torch.stack([log_px_z - kl, log_px_z, kl])
        self.sums += means * (len(x) / len(self.images))  # weighted by its share of the epoch

    def _running_terms(self) -> dict[str, float]:
        """The training terms of this epoch so far. Raises Diverged if one is NaN or infinite."""
        size = self.config.train.batch_size
        seen = min(self.progress.step * size, len(self.images)) / len(self.images)
        terms = {name: v / seen for name, v in zip(_TERMS, self.sums.tolist(), strict=True)}
        if not all(map(math.isfinite, terms.values())):
            self.restore_best()
            raise Diverged(_divergence(self.config, self.progress))
        return terms

    def _end_epoch(self) -> EpochDone:
        start = time.perf_counter()
        settings, progress = self.config.train, self.progress
        self.model.eval()
        validation, criterion = evaluate_epoch(self.model, self.data, settings)
        metrics: dict[str, Any] = {
            "epoch": progress.epoch,
            "step": progress.epoch * self.steps,
            "learning_rate": learning_rate_at(settings, progress.epoch),
            "kl_weight": kl_weight_at(settings, progress.epoch),
            "train": {
                **self._running_terms(),
                **Protocol(
                    self.data.name,
                    "train",
                    settings.binarisation,
                    images=len(self.images),
                    samples=settings.samples,
                    seed=settings.seed,
                    augment=settings.augment if settings.augment != "none" else None,
                    given="class" if self.model.config.is_conditional else None,
                ).to_dict(),
            },
            "validation": validation,
            "criterion": criterion,
        }
        every = settings.importance_every
        if every and (progress.epoch % every == 0 or progress.epoch == settings.epochs):
            metrics["importance"] = importance_estimate(self.model, self.data, settings)
        self.model.train()
        improved = self._keep_if_better(criterion["value"])
        metrics["kept"] = {"epoch": progress.best_epoch, "untrained": progress.untrained}
        if self.config.start_from:
            metrics["kept"]["start_from"] = self.config.start_from
        if progress.best_value > -math.inf:
            metrics["kept"]["value"] = progress.best_value
        progress.seconds += time.perf_counter() - start
        metrics["seconds"] = progress.seconds
        done = progress.epoch
        progress.epoch, progress.step = done + 1, 0
        self.sums.zero_()
        return EpochDone(done, metrics, improved)


def train(
    config: RunConfig, data: Dataset, start: VAE | None = None, decoder_of: VAE | None = None
) -> Iterator[Event]:
    """Train a new model, from the weights of ``start`` or with the decoder of ``decoder_of`` if
    one is given. :class:`Training` gives access to the weights and can be continued later."""
    return Training(config, data, decoder_of, start).events()


def keep_decoder(model: VAE, source: VAE) -> None:
    """Copy the decoder and the likelihood of another model into this one and freeze them.

    Raises:
        ConfigError: if the decoders are of different architectures.
    """
    try:
        model.decoder.load_state_dict(source.decoder.state_dict())
        model.likelihood.load_state_dict(source.likelihood.state_dict())
    except RuntimeError as error:
        raise ConfigError(
            "The decoder to be kept does not fit: latent size, network, its sizes and the "
            "likelihood must be those of the model it comes from."
        ) from error
    model.decoder.requires_grad_(False)
    model.likelihood.requires_grad_(False)


def _out_of_patience(settings: TrainConfig) -> Reason:
    plain = settings.iwae_samples == 1 and settings.beta == 1 and not settings.free_bits
    return "no better validation ELBO" if plain else "no better validation objective"


def _check_splits(data: Dataset) -> None:
    """Check that there are images to train on, and images by which to choose the epoch to keep."""
    purposes: dict[Split, str] = {"train": "train on", "validation": "choose the epoch to keep"}
    for split, purpose in purposes.items():
        if not len(data.split(split)[0]):
            raise NoImages(
                f"The data set {data.name} has no {split} images, which are needed to {purpose}."
            )


def _divergence(config: RunConfig, progress: Progress) -> str:
    """State in which epoch the loss was no longer a number, what was kept, and what may help."""
    settings = config.train
    kept = f"The weights of epoch {progress.best_epoch} were kept."
    if not progress.best_epoch:
        kept = "The untrained weights were kept, because no epoch was better."
    if progress.epoch == 1:
        kept = "No epoch had ended, so there are no trained weights."
    if config.start_from and not progress.best_epoch:
        kept = "The weights that the run started from were kept."
    helps = ["a smaller learning rate"]
    helps += ["a lower gradient clip" if settings.gradient_clip else "a gradient clip"]
    helps += ["KL warm-up"] if settings.beta and not settings.kl_warmup_epochs else []
    advice = ", ".join(helps[:-1]) + f" or {helps[-1]}"
    return (
        f"The loss was no longer a number in epoch {progress.epoch}. {kept} {advice[:1].upper()}"
        f"{advice[1:]} usually helps."
    )
