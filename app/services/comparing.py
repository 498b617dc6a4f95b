"""Runs and models to compare: the list to choose from, and what was measured of the chosen ones."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.services.byte_cache import cached
from app.services.models import Choice
from app.services.runs import store
from vae_core.basics.paths import pretrained_folder
from vae_core.basics.text import printable
from vae_core.basics.versions import version_of
from vae_core.runs.comparison import Compared, Comparison, compare, compared
from vae_core.runs.run import CONFIG_FILE, EVALUATION_FILE, HELD_OUT_FILE, STATUS_FILE, Run
from vae_core.runs.store import PRETRAINED, RunStore
from vae_core.settings.choices import POSTERIORS

MOST = 60
"""Most runs of one comparison on a page."""
PRETRAINED_STATE = "pretrained"
_FILES = (CONFIG_FILE, STATUS_FILE, EVALUATION_FILE, HELD_OUT_FILE)


@dataclass(frozen=True)
class Entry:
    """A run that can be compared, as the list shows it.

    Attributes:
        key: its name in links.
        dataset, family: titles of its data set and of its q(z|x).
        state: state of its training, or ``pretrained``.
    """

    key: str
    run: Run
    name: str
    dataset: str
    family: str
    d: int
    state: str
    epochs: int

    def matches(self, text: str) -> bool:
        """Whether every word of a text is in what the list says about the run."""
        about = f"{self.key} {self.name} {self.dataset} {self.family} {self.state}".lower()
        return all(word in about for word in text.lower().split())


def entries() -> tuple[dict[str, Entry], dict[str, str]]:
    """List all runs by key, pretrained ones last, and the reasons why others cannot be read."""
    found: dict[str, Entry] = {}
    damaged: dict[str, str] = {}
    for each in store().listed():
        if each.run is None or each.status is None:
            damaged[printable(each.folder.name)] = each.reason
        else:
            found[each.run.id] = _entry(each.run.id, each.run, each.status.state)
    for each in sorted(_pretrained().listed(), key=lambda each: each.folder.name):
        if each.run is not None:
            key = PRETRAINED + each.run.id
            found[key] = _entry(key, each.run, PRETRAINED_STATE)
    return found, damaged


@st.cache_resource(show_spinner=False)
def _pretrained() -> RunStore:
    """Open the folder of pretrained models once, so that unchanged files are not read again."""
    return RunStore(pretrained_folder())


def _entry(key: str, run: Run, state: str) -> Entry:
    config = run.config
    family = POSTERIORS[config.model.posterior].short
    d, epochs = config.model.latent_size, config.train.epochs
    return Entry(key, run, run.name, config.info.title, family, d, state, epochs)


def comparison(chosen: Sequence[Entry]) -> Comparison:
    """Compare runs. Files that have not changed are not read again."""
    return comparison_of([(each.key, each.run) for each in chosen])


def comparison_of(runs: Sequence[tuple[str, Run]]) -> Comparison:
    """Compare runs, given their keys, as :func:`comparison` does."""
    versions = tuple((key, *_versions(run)) for key, run in runs)
    return _comparison(tuple(run for _, run in runs), versions)


@cached(max_entries=16)
def _comparison(_runs: tuple[Run, ...], versions: tuple[tuple[str, ...], ...]) -> Comparison:
    return compare([_compared(run, key) for run, key in zip(_runs, versions, strict=True)])


@cached(max_entries=256)
def _compared(_run: Run, versions: tuple[str, ...]) -> Compared:
    return compared(_run)


def _versions(run: Run) -> tuple[str, ...]:
    return tuple(str(version_of(f"{run.folder}/{name}")) for name in _FILES)


def choice_of(entry: Entry) -> Choice | None:
    """Return the model of a run; None before it has weights."""
    digest = entry.run.checkpoint_digest()
    return Choice(entry.key, entry.run, digest) if digest else None
