"""Sentences about a sweep: what it will cost, and which of its settings can be told apart."""

from collections import Counter
from collections.abc import Sequence

from vae_core.analysis.comparing import LEVEL, Ranking
from vae_core.analysis.seeds import Basis, Repeated
from vae_core.wording.comparison import FROM_BELOW, TITLES, verdict_sentence
from vae_core.wording.numbers import duration

_ERRORS: dict[Basis, str] = {
    "seeds": (
        "Errors are standard errors over seeds, with Student's t for as few seeds as there are "
        "(Welch)."
    ),
    "pooled": (
        "Errors are standard errors over seeds, with Student's t for as few seeds as there are. "
        "Where a combination has one seed, it is given the spread of those with more."
    ),
    "images": (
        "No combination has two seeds, so errors are over images, and a difference may come from "
        "the seed. Train several seeds to tell."
    ),
}


def cost_sentence(runs: int, seconds: float, size: float) -> str:
    """State what a sweep will cost before it starts: ``"18 runs, about 5 min and 60 MB"``.

    Args:
        seconds: of training, as estimated, for all runs together.
        size: bytes on disk, as estimated.
    """
    count = "1 run" if runs == 1 else f"{runs:,} runs"
    return (
        f"{count}: about {duration(seconds)} on this computer and about {megabytes(size)} of disk"
    )


def megabytes(size: float) -> str:
    """Write a number of bytes: ``"3 MB"``, ``"1.2 GB"``."""
    return f"{size / 1e9:,.1f} GB" if size >= 1e9 else f"{max(1, size / 1e6):,.0f} MB"


def sweep_sentences(
    names: Sequence[str], cells: Sequence[Repeated], found: Ranking, basis: Basis, figure: str
) -> list[str]:
    """Say which combination is best by a figure, or that this cannot be told, and why.

    Args:
        names: name of each combination.
        cells: the figure of each combination.
        basis: where the errors of the differences come from.
        figure: name of the figure, such as ``log_px``.
    """
    if len(found.order) < 2:
        return []
    verdict = verdict_sentence(names, found, TITLES[figure], "combination")
    lower = len(found.order) - len(found.leaders)
    if found.best is None and lower:
        which = "The other one is" if lower == 1 else f"The other {lower} are"
        verdict += f" {which} lower than {names[found.order[0]]}, by more than their errors."
    pairs = found.differences.pairs
    corrected = f", corrected for {pairs:,} pairs (Holm)" if pairs > 1 else ""
    method = (
        f"A difference counts if its two-sided p-value is at most {100 * LEVEL:.0f} %{corrected}."
    )
    said = [verdict, f"{method} {_ERRORS[basis]}"]
    if basis != "images" and (few := _few_seeds(cells)):
        said.append(few)
    return [*said, FROM_BELOW] if figure == "log_px" else said


def _few_seeds(cells: Sequence[Repeated]) -> str:
    """Say how many seeds the combinations have, where that differs or is small."""
    counts = Counter(cell.seeds for cell in cells if cell.seeds)
    fewest, most = min(counts), max(counts)
    if fewest == most:
        return "" if fewest > 2 else "With two seeds only very large differences can be told."
    return f"The combinations have {fewest} to {most} seeds."
