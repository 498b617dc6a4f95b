"""Compare runs: the settings that differ, and figures in groups that were measured alike."""

import contextlib
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from vae_core.analysis.comparing import LEVEL, Mean, Ranking, ranking
from vae_core.basics.arrays import Floats
from vae_core.basics.paths import pretrained_folder, runs_folder
from vae_core.runs.run import HELD_OUT_FILE, Run, RunError
from vae_core.runs.store import PRETRAINED
from vae_core.settings.choices import (
    DENSITY,
    LikelihoodName,
    is_density,
    is_likelihood,
    pixels_as,
)
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.fields import ConfigError, Setting, settings_of, value_in
from vae_core.settings.protocol import Protocol

RANKED = ("log_px", "elbo")
"""Figures by which runs are ranked; higher is better."""
FIGURES = ("log_px", "elbo", "expected_log_likelihood", "kl", "bits_per_dim")
"""Figures of a comparison, in nats per image, and bits per dimension."""
_NOT_OF_A_MODEL = ("title", "dataset")
_AGREES = 1e-4  # relative; scores are kept as float32


@dataclass(frozen=True)
class Compared:
    """One run of a comparison, with what is known about it.

    Attributes:
        key: its name in links and commands.
        state: of its training; empty if the status cannot be read.
        figures: its final figures, with their protocol; empty before it is evaluated.
        by_image: scores of each test image by the name of the figure, (N,) each, if they were kept.
        problems: a sentence for each file that cannot be used.
    """

    key: str
    run: Run
    state: str
    figures: Mapping[str, Any]
    by_image: Mapping[str, Floats]
    problems: tuple[str, ...] = ()

    @property
    def config(self) -> RunConfig:
        """Settings of the run."""
        return self.run.config


@dataclass(frozen=True)
class Differing:
    """A setting that is not the same in all runs.

    Attributes:
        about: the setting.
        values: its value in each run; None where the setting has no meaning.
    """

    about: Setting
    values: tuple[Any, ...]


@dataclass(frozen=True)
class Conditions:
    """How figures were measured. Only figures under equal conditions can be compared.

    Attributes:
        likelihood: the likelihood p(x|z), which says what p(x) is a probability of.
        digest: identifier of the images, for a data set of the user's own.
    """

    protocol: Protocol
    likelihood: LikelihoodName
    digest: str

    @property
    def pixels(self) -> str:
        """Description of the pixels, in the words of a protocol; empty if they are not known."""
        with contextlib.suppress(ConfigError):
            return pixels_as(self.protocol.binarisation or "none", self.likelihood)
        return ""

    @property
    def unranked(self) -> str:
        """Why models are not ranked by these figures; empty if they can be."""
        if is_density(self.likelihood):
            return f"log p(x) is {DENSITY}."
        if not is_likelihood(self.protocol.binarisation or "none", self.likelihood):
            return "The pixels are grey values under a Bernoulli, so log p(x) is not a likelihood."
        return ""


@dataclass(frozen=True)
class Group:
    """Figures of some runs that were measured under equal conditions.

    Attributes:
        members: indices of the runs in the comparison.
        means: for each figure, its value for each member; NaN where it is not known.
    """

    conditions: Conditions
    members: tuple[int, ...]
    means: Mapping[str, tuple[Mean, ...]]

    @cached_property
    def rankings(self) -> Mapping[str, Ranking]:
        """Rankings by log p̂(x) and ELBO; empty where these cannot be ranked."""
        if self.conditions.unranked or len(self.members) < 2:
            return {}
        return {name: ranking(self.means[name], LEVEL) for name in RANKED}

    def best(self, figure: str) -> int | None:
        """Index in the comparison of the best run by a figure; None if that cannot be told."""
        by = "log_px" if figure == "bits_per_dim" else figure
        best = self.rankings[by].best if by in self.rankings else None
        return None if best is None else self.members[best]


@dataclass(frozen=True)
class Comparison:
    """Runs side by side.

    Attributes:
        names: a different name for each run.
        settings: the settings that differ.
        groups: figures, in groups of equal conditions; the largest group first.
    """

    runs: tuple[Compared, ...]
    names: tuple[str, ...]
    settings: tuple[Differing, ...]
    groups: tuple[Group, ...]


def compare(runs: Sequence[Compared]) -> Comparison:
    """Put runs side by side. Runs of different data sets or likelihoods are allowed."""
    return Comparison(
        tuple(runs), unique_names(runs), differing([each.config for each in runs]), _groups(runs)
    )


def compared(run: Run) -> Compared:
    """Read what a comparison needs of a run. Damaged files become sentences."""
    problems: list[str] = []
    figures: dict[str, Any] = {}
    state, by_image = "", {}
    try:
        state = run.status().state
        figures = run.evaluation() or {}
        if figures:
            by_image = _scores(run, figures)
    except RunError as error:
        problems.append(str(error))
    return Compared(key_of(run), run, state, figures, by_image, tuple(problems))


def key_of(run: Run) -> str:
    """Name of a run in links and commands: ``pretrained/NAME``, its id, or its folder."""
    parent = run.folder.parent
    if _same(parent, pretrained_folder()):
        return PRETRAINED + run.id
    return run.id if _same(parent, runs_folder()) else str(run.folder)


def _same(one: Path, other: Path) -> bool:
    return one == other or one.resolve() == other.resolve()


def unique_names(runs: Sequence[Compared]) -> tuple[str, ...]:
    """Name each run; where names are equal, add the end of the folder's name, or all of it."""
    names = [each.run.name for each in runs]
    for ending in (lambda run: run.id.rsplit("-", 1)[-1], lambda run: run.id):
        counts = Counter(names)
        names = [
            name if counts[name] == 1 else f"{each.run.name} · {ending(each.run)}"
            for name, each in zip(names, runs, strict=True)
        ]
    return tuple(names)


# ---- settings


def differing(configs: Sequence[RunConfig]) -> tuple[Differing, ...]:
    """Find the settings that are not the same in all runs.

    A setting that another one makes meaningless, such as the steps of a flow where the posterior is
    Gaussian, has the value None.
    """
    kinds = (RunConfig, ModelConfig, TrainConfig)
    everything = [about for kind in kinds for about in settings_of(kind)]
    tables = [config.settings() for config in configs]
    found = []
    for about in everything:
        values = tuple(value_in(about, table) for table in tables)
        if about.name not in _NOT_OF_A_MODEL and len(set(values)) > 1:
            found.append(Differing(about, values))
        elif about.name == "dataset" and len(set(images := _images_of(configs))) > 1:
            found.append(Differing(about, images))
    return tuple(found)


def _images_of(configs: Sequence[RunConfig]) -> tuple[str, ...]:
    """Name of each run's data set; with the digest where one name belongs to several."""
    digests: dict[str, set[str]] = {}
    for config in configs:
        digests.setdefault(config.dataset, set()).add(config.info.digest)
    return tuple(
        config.dataset
        if len(digests[config.dataset]) == 1
        else f"{config.dataset} ({config.info.digest or 'built in'})"
        for config in configs
    )


# ---- figures


def _groups(runs: Sequence[Compared]) -> tuple[Group, ...]:
    found: dict[Conditions, dict[int, Mapping[str, Mean]]] = {}
    for index, each in enumerate(runs):
        for conditions, means in _measured(each):
            found.setdefault(conditions, {})[index] = means
    groups = [
        Group(
            conditions,
            tuple(by_run),
            {name: tuple(means[name] for means in by_run.values()) for name in FIGURES},
        )
        for conditions, by_run in found.items()
    ]
    return tuple(sorted(groups, key=lambda group: -len(group.members)))


def _measured(each: Compared) -> list[tuple[Conditions, dict[str, Mean]]]:
    """Figures of a run with the conditions of each: the encoder's, and the refined proposal's."""
    if not each.figures:
        return []
    plain = {n: v for n, v in each.figures.items() if n not in ("refined", "kept")}
    likelihood, digest = each.config.model.likelihood, each.config.info.digest
    conditions = Conditions(Protocol.from_dict(plain), likelihood, digest)
    found = [(conditions, _means(each, plain, each.by_image))]
    refined = each.figures.get("refined")
    if isinstance(refined, Mapping) and isinstance(refined.get("log_px"), float):
        images = refined.get("images", plain.get("images"))
        protocol = replace(conditions.protocol, images=images, proposal="refined")
        found.append((replace(conditions, protocol=protocol), _means(each, refined, {})))
    return found


def _means(
    each: Compared, figures: Mapping[str, Any], by_image: Mapping[str, Floats]
) -> dict[str, Mean]:
    images = figures.get("images") or 0
    se = {name: _number(figures.get(f"{name}_se")) for name in FIGURES}
    se["bits_per_dim"] = se["log_px"] / (each.config.model.pixels * math.log(2))
    return {
        name: Mean(_number(figures.get(name)), se[name], images, by_image.get(name))
        for name in FIGURES
    }


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else math.nan


def _scores(run: Run, figures: Mapping[str, Any]) -> dict[str, Floats]:
    """Read the scores of each test image that belong to a run's figures.

    Raises:
        RunError: if the file is damaged, or belongs to other figures.
    """
    from vae_core.runs.records import held_out_of  # loads torch

    held_out = held_out_of(run)
    if held_out is None:
        return {}
    found = {"log_px": held_out.log_px.numpy()}
    if held_out.elbo is not None:
        found["elbo"] = held_out.elbo.numpy()
    for name, scores in found.items():
        if len(scores) != figures.get("images") or not _is_mean(figures[name], scores):
            raise RunError(
                f"{HELD_OUT_FILE} of the run {run.id} does not belong to its figures, so the "
                "differences of single images are not used."
            )
    return found


def _is_mean(value: float, scores: Floats) -> bool:
    return bool(abs(np.mean(scores) - value) <= _AGREES * max(1, abs(value)))
