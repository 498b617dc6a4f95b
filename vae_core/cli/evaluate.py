"""``evaluate`` and ``gap``: figures of a model on a split of its data."""

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar, get_args

from vae_core.cli.shared import (
    ALL_DONE,
    a_positive,
    a_standard_error,
    add_scoring_options,
    binarisation_of,
    open_model,
    print_json,
    report_share,
)
from vae_core.runs.run import Run
from vae_core.settings.choices import Binarisation, ProposalName
from vae_core.settings.config import MAX_IMPORTANCE_SAMPLES
from vae_core.settings.data_sets import Split
from vae_core.wording.evaluation import evaluation_sentence, gap_sentence

T = TypeVar("T")


# ---- evaluate


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="figures of a model on a split of its data")
    _add_split_options(parser)
    parser.add_argument(
        "--proposal",
        choices=get_args(ProposalName),
        default="encoder",
        help="proposal of the importance samples: the encoder's q(z|x), or a proposal refined for "
        "each image, which brings log p(x) and its error closer to the truth (default encoder)",
    )
    add_scoring_options(parser, 500)
    parser.add_argument(
        "--se",
        type=a_standard_error,
        metavar="NATS",
        help="draw until the standard error of log p(x) of every image is at most this many nats, "
        f"instead of K samples each; at most {MAX_IMPORTANCE_SAMPLES:,} samples per image",
    )
    parser.set_defaults(command=evaluate)


def add_gap(commands: Any) -> None:
    parser = commands.add_parser("gap", help="split log p(x) - ELBO into its two parts")
    _add_split_options(parser)
    add_scoring_options(parser, 5000)
    parser.set_defaults(command=gap)


def _add_split_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "run", type=Path, metavar="DIR", help="folder or id of the run, or pretrained/NAME"
    )
    parser.add_argument("--split", choices=get_args(Split), default="test", help="which images")
    parser.add_argument(
        "--limit", type=a_positive, default=None, help="use only this many images, the first ones"
    )
    parser.add_argument(
        "--binarisation",
        choices=get_args(Binarisation),
        default=None,
        help="how grey pixels become binary (default: as in training)",
    )


def evaluate(given: argparse.Namespace) -> int:
    """Print the ELBO, its terms and log p̂(x) on a split, with their protocol."""
    from vae_core.analysis.evaluation import evaluate as measure

    if given.se is not None:
        given.importance_samples = MAX_IMPORTANCE_SAMPLES
    how = {"proposal": given.proposal, "se": given.se}
    run, (figures, _) = _on_split(given, partial(measure, **how))
    if given.json:
        print_json(figures)
    else:
        print(evaluation_sentence(figures, run.config.model.likelihood))
    return ALL_DONE


def gap(given: argparse.Namespace) -> int:
    """Print the two parts of the gap log p(x) − ELBO on a split, with their protocol."""
    from vae_core.analysis.gap_evaluation import evaluate_gap

    run, figures = _on_split(given, evaluate_gap)
    if given.json:
        print_json(figures)
    else:
        print(gap_sentence(figures, run.config.model.likelihood))
    return ALL_DONE


def _on_split(given: argparse.Namespace, measure: Callable[..., T]) -> tuple[Run, T]:
    """Open the run, and measure its model on the images that the command line selects."""
    run, model = open_model(given)
    from vae_core.data.datasets import load_dataset

    return run, measure(
        model,
        load_dataset(run.config.dataset),
        given.split,
        binarisation_of(given, run),
        given.importance_samples,
        given.limit,
        given.seed,
        report_share,
    )
