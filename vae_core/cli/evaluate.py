"""``evaluate`` and ``gap``: figures of a model on a split of its data."""

import argparse
import dataclasses
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from vae_core.cli.options import add_settings, options_of
from vae_core.cli.shared import (
    ALL_DONE,
    add_run,
    add_weights,
    binarisation_of,
    open_model,
    print_json,
    report_share,
    tell,
)
from vae_core.runs.own_data import dataset_of
from vae_core.runs.run import Run
from vae_core.settings.choices import pixels_as
from vae_core.settings.options import MAX_IMPORTANCE_SAMPLES, EvaluateOptions, GapOptions
from vae_core.wording.evaluation import evaluation_sentence, gap_sentence

T = TypeVar("T")


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="figures of a model on a split of its data")
    add_run(parser)
    add_weights(parser)
    add_settings(parser, EvaluateOptions)
    parser.set_defaults(command=evaluate)


def add_gap(commands: Any) -> None:
    parser = commands.add_parser("gap", help="split log p(x) - ELBO into its two parts")
    add_run(parser)
    add_weights(parser)
    add_settings(parser, GapOptions)
    parser.set_defaults(command=gap)


def evaluate(given: argparse.Namespace) -> int:
    """Print the ELBO, its terms and log p̂(x) on a split, with their protocol."""
    from vae_core.analysis.evaluation import evaluate as measure

    options = options_of(given, EvaluateOptions)
    if options.se is not None:
        options = dataclasses.replace(options, importance_samples=MAX_IMPORTANCE_SAMPLES)
    how = {"proposal": options.proposal, "se": options.se}
    run, (figures, _) = _on_split(given, options, partial(measure, **how))
    _print_figures(given, run, figures, evaluation_sentence(figures, run.config.model.likelihood))
    return ALL_DONE


def gap(given: argparse.Namespace) -> int:
    """Print the two parts of the gap log p(x) − ELBO on a split, with their protocol."""
    from vae_core.analysis.gap_evaluation import evaluate_gap

    run, figures = _on_split(given, options_of(given, GapOptions), evaluate_gap)
    _print_figures(given, run, figures, gap_sentence(figures, run.config.model.likelihood))
    return ALL_DONE


def _print_figures(
    given: argparse.Namespace, run: Run, figures: dict[str, Any], sentence: str
) -> None:
    if given.json:
        print_json({**_with_likelihood(figures, run), "weights": given.weights})
    else:
        tell(sentence + (" with the last weights" if given.weights == "last" else ""))


def _with_likelihood(figures: dict[str, Any], run: Run) -> dict[str, Any]:
    """Add what p(x) is of: the likelihood, and the pixels in words."""
    likelihood = run.config.model.likelihood
    pixels = pixels_as(figures["binarisation"], likelihood)
    return {**figures, "likelihood": likelihood, "pixels": pixels}


def _on_split(
    given: argparse.Namespace, options: EvaluateOptions | GapOptions, measure: Callable[..., T]
) -> tuple[Run, T]:
    """Open the run, and measure its model on the images that the options select."""
    run, model = open_model(given)

    return run, measure(
        model,
        dataset_of(run),
        options.split,
        binarisation_of(options.binarisation, run),
        options.importance_samples,
        options.limit,
        options.seed,
        report_share,
    )
