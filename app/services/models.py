"""The models that a page can open: pretrained ones and finished runs."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from app.services.byte_cache import cached
from app.services.runs import store
from vae_core.runs.run import Run
from vae_core.runs.store import PRETRAINED, pretrained_runs
from vae_core.settings.model_config import ModelConfig

if TYPE_CHECKING:
    from vae_core.model.vae import VAE


@dataclass(frozen=True)
class Choice:
    """A model that a page can open: a pretrained one, or a run of the user.

    Attributes:
        key: its name in the URL.
        digest: digest of its present weights.
    """

    key: str
    run: Run
    digest: str

    @property
    def pretrained(self) -> bool:
        """Whether the model came with the program."""
        return self.key.startswith(PRETRAINED)

    @property
    def label(self) -> str:
        """Name of the model in lists."""
        state = "" if self.pretrained else f" ({self.run.status().state})"
        return f"{self.run.name}{state}"

    def weights(self) -> tuple[str, str]:
        """Return a key for caches, which changes when the weights change."""
        return self.key, self.digest


def choices(*, conditional: bool = False) -> dict[str, Choice]:
    """Return all models that can be opened, by key: pretrained ones, then runs, newest first.

    Pretrained models that only add another q(z|x) to a model's decoder are left out;
    :func:`companions` returns them.

    Args:
        conditional: whether models of p(x|y) are among them.
    """
    return {
        key: choice
        for key, choice in _all_choices().items()
        if not (choice.pretrained and choice.run.config.decoder_of)
        if conditional or not choice.run.config.model.is_conditional
    }


def labels(found: Mapping[str, Choice]) -> dict[str, str]:
    """Return a different label for each model, because a select box identifies models by label.

    Runs with the same settings have the same name. The end of the folder's name is added to it.
    """
    names = {key: choice.label for key, choice in found.items()}
    for ending in (lambda key: key.rsplit("-", 1)[-1], lambda key: key):
        counts = Counter(names.values())
        names = {
            key: name if counts[name] == 1 else f"{found[key].label} · {ending(key)}"
            for key, name in names.items()
        }
    return names


def first_of(found: Mapping[str, Choice]) -> Choice | None:
    """Return the model to open by default: the first whose images come with the program, if any."""
    about = {key: choice.run.config.info for key, choice in found.items()}
    with_images = (found[key] for key, info in about.items() if info.embedded and not info.is_own)
    return next(with_images, next(iter(found.values()), None))


def companions(choice: Choice) -> dict[str, Choice]:
    """Return all models with the choice's decoder, so with the same true p(z|x); it is included."""
    root = choice.run.config.decoder_of or choice.key
    return {
        key: other
        for key, other in _all_choices().items()
        if root in (key, other.run.config.decoder_of)
    }


def fitting(config: ModelConfig | None, decoder_only: bool) -> list[str]:
    """Return the keys of all models whose weights fit a model of this config.

    Args:
        decoder_only: whether only the decoder and the likelihood must fit.
    """
    if config is None:
        return []
    wanted = config.architecture(decoder_only=decoder_only)
    known = [*_pretrained_models(), *_models_of_runs()]
    return [k for k, model in known if model.architecture(decoder_only=decoder_only) == wanted]


@cache
def _pretrained_models() -> list[tuple[str, ModelConfig]]:
    """The keys and configs of pretrained models, which do not change while the app runs."""
    return [(PRETRAINED + run.id, run.config.model) for run in pretrained_runs()]


def _models_of_runs() -> list[tuple[str, ModelConfig]]:
    runs = (each.run for each in store().listed() if each.run is not None)
    return [(run.id, run.config.model) for run in runs if run.checkpoint_digest()]


def _all_choices() -> dict[str, Choice]:
    found = [(PRETRAINED + run.id, run) for run in pretrained_runs()]
    found += [(run.id, run) for run in store().runs()]
    return {
        key: Choice(key, run, digest) for key, run in found if (digest := run.checkpoint_digest())
    }


def model(choice: Choice) -> "VAE":
    """Load the choice's model for evaluation, on the CPU or GPU that pages use."""
    return _model(choice, choice.key, choice.digest)


@cached(max_entries=16)
def _model(_choice: Choice, key: str, digest: str) -> "VAE":
    from vae_core.basics.devices import resolve_device
    from vae_core.runs.checkpoint import load_model

    return load_model(_choice.run.folder, resolve_device("auto"))
