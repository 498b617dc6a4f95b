"""The models that can be opened, and opening them."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import streamlit as st

from vae_core.runs.run import Run
from vae_core.runs.store import PRETRAINED, pretrained_runs
from vae_core.settings.data_sets import find_dataset

if TYPE_CHECKING:
    from vae_core.model.vae import VAE
from app.services.runs import store


@dataclass(frozen=True)
class Choice:
    """A model one can choose: a finished one that came with the program, or a run of one's own.

    Attributes:
        key: names it in the URL.
        digest: names its weights as they are now.
    """

    key: str
    run: Run
    digest: str

    @property
    def pretrained(self) -> bool:
        """Whether it came with the program."""
        return self.key.startswith(PRETRAINED)

    @property
    def label(self) -> str:
        """How lists show it."""
        state = "" if self.pretrained else f" ({self.run.status().state})"
        return f"{self.run.name}{state}"

    def weights(self) -> tuple[str, str]:
        """What names a model's weights in caches."""
        return self.key, self.digest


def choices() -> dict[str, Choice]:
    """Every model that can be opened, by key: pretrained ones first, then runs, newest first.

    Those that came with the program as another q(z|x) for a model's decoder are left to
    :func:`companions`.
    """
    return {
        key: choice
        for key, choice in _all_choices().items()
        if not (choice.pretrained and choice.run.config.decoder_of)
    }


def labels(found: Mapping[str, Choice]) -> dict[str, str]:
    """How a list shows its models, each in another way: a select box goes by what it shows.

    Runs of the same settings have the same name; the end of their folder's tells them apart.
    """
    names = {key: choice.label for key, choice in found.items()}
    for ending in (lambda key: key.rsplit("-", 1)[-1], lambda key: key):
        often = Counter(names.values())
        names = {
            key: name if often[name] == 1 else f"{found[key].label} · {ending(key)}"
            for key, name in names.items()
        }
    return names


def first_of(found: Mapping[str, Choice]) -> Choice | None:
    """What is opened where none is named: a model whose images come with the program, if any."""
    embedded = (each for each in found.values() if find_dataset(each.run.config.dataset).embedded)
    return next(embedded, next(iter(found.values()), None))


def companions(choice: Choice) -> dict[str, Choice]:
    """All models that share a choice's decoder, and with it the true p(z|x), itself included."""
    root = choice.run.config.decoder_of or choice.key
    return {
        key: other
        for key, other in _all_choices().items()
        if root in (key, other.run.config.decoder_of)
    }


def _all_choices() -> dict[str, Choice]:
    found = [(PRETRAINED + run.id, run) for run in pretrained_runs()]
    found += [(run.id, run) for run in store().runs()]
    return {
        key: Choice(key, run, digest) for key, run in found if (digest := run.checkpoint_digest())
    }


def model(choice: Choice) -> "VAE":
    """The choice's model, on the CPU or GPU that pages use, ready to evaluate."""
    return _model(choice, choice.key, choice.digest)


@st.cache_resource(max_entries=16, show_spinner=False)
def _model(_choice: Choice, key: str, digest: str) -> "VAE":
    from vae_core.basics.devices import resolve_device
    from vae_core.runs.checkpoint import load_model

    return load_model(_choice.run.folder, resolve_device("auto"))
