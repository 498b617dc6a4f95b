"""Sentences about models that are compared: which is best, and how that was decided."""

from collections.abc import Mapping, Sequence
from typing import Any

from vae_core.analysis.comparing import LEVEL, Differences, Mean, Ranking
from vae_core.settings.fields import Setting
from vae_core.wording.lists import listed
from vae_core.wording.numbers import NOT_KNOWN, in_hundredths, number, typeset

TITLES: Mapping[str, str] = {
    "log_px": "log p̂(x)",
    "elbo": "ELBO",
    "expected_log_likelihood": "E log p(x|z)",
    "kl": "KL",
    "bits_per_dim": "bits/dim",
}
"""Names of figures in tables and sentences."""
NO_MEANING = "–"
"""Shown in the place of a setting that has no meaning for a run."""
SEVERAL_WAYS = (
    "The figures were measured in {count} different ways. Runs are ranked only within a group, "
    "never across groups."
)
FROM_BELOW = (
    "log p̂(x) is estimated from below, and lies lower where q(z|x) fits worse, so part of a "
    "difference may belong to q(z|x) and not to p(x)."
)
"""Said where models are ranked by log p̂(x)."""
_MOST_NAMES = 4


def setting_in_words(about: Setting, value: Any) -> str:
    """Write the value of a setting as forms do: by its title if it has one."""
    if value is None or value == "":
        return NO_MEANING
    if isinstance(value, str):
        return about.titles.get(value, value)
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"


def figure_in_words(name: str, mean: Mean) -> str:
    """Write a figure with its error to two decimals; bits per dimension to four digits."""
    if mean.value != mean.value:
        return NO_MEANING
    if name == "bits_per_dim":
        return number(mean.value, mean.se, "")
    if mean.se != mean.se:
        return typeset(mean.value, ",.2f")
    return in_hundredths(mean.value, mean.se, "").strip()


def ranking_sentences(names: Sequence[str], found: Ranking, figure: str) -> list[str]:
    """Say which model is best by a figure, or that this cannot be told, and how it was decided.

    Args:
        names: name of each model of the ranking.
        figure: name of the figure, such as ``log_px``.
    """
    if len(found.order) < 2:
        return []
    return [verdict_sentence(names, found, TITLES[figure], "run"), method_sentence(found)]


def verdict_sentence(names: Sequence[str], found: Ranking, title: str, noun: str) -> str:
    """Say which of two models or more is best, or that this cannot be told.

    Args:
        title: name of the figure in sentences.
        noun: what is ranked, such as ``run``.
    """
    first, second = found.order[:2]
    by = _difference(found.differences, first, second)
    if found.best is not None:
        return f"{names[first]} has the highest {title}: {by} above {names[second]}, the next."
    tied = _few([names[i] for i in found.leaders])
    return (
        f"Which {noun} has the highest {title} cannot be told: {tied} do not differ by more than "
        f"their errors. {names[first]} is {by} above {names[second]}."
    )


def method_sentence(found: Ranking) -> str:
    """Say how differences were told from zero."""
    pairs = found.differences.pairs
    corrected = f", corrected for {pairs:,} pairs of runs (Holm)" if pairs > 1 else ""
    return (
        f"A difference counts if its two-sided p-value is at most {100 * LEVEL:.0f} %{corrected}. "
        f"{_errors(found)}"
    )


def _errors(found: Ranking) -> str:
    pairs = [(i, j) for i in found.order for j in found.order if i < j]
    paired = sum(bool(found.differences.paired[pair]) for pair in pairs)
    if paired == len(pairs):
        return "Errors are those of the differences of the same images."
    if not paired:
        return "Errors are √(se₁² + se₂²), because scores of single images are not at hand."
    return (
        "Errors are those of the differences of the same images; for runs without scores of single "
        "images they are √(se₁² + se₂²)."
    )


def _difference(found: Differences, first: int, second: int) -> str:
    value, se = float(found.value[first, second]), float(found.se[first, second])
    return number(value, se) if se == se else f"{number(value)} (error {NOT_KNOWN})"


def _few(names: Sequence[str]) -> str:
    if len(names) <= _MOST_NAMES:
        return listed(names)
    return listed([*names[:_MOST_NAMES], f"{len(names) - _MOST_NAMES} more"])
