"""``classify``: p(y|x) by every way that the models offer."""

import argparse
from typing import Any

from vae_core.basics.errors import InvalidArgument
from vae_core.cli.options import add_settings, options_of
from vae_core.cli.shared import (
    ALL_DONE,
    NOT_ALL_DONE,
    a_path,
    add_run,
    open_model,
    print_json,
    report_share,
    say,
    tell,
)
from vae_core.runs.own_data import dataset_of
from vae_core.settings.options import ClassifyOptions


def add_classify(commands: Any) -> None:
    about = "the class of images, p(y|x): accuracy, calibration, and images of your own"
    parser = commands.add_parser("classify", help=about)
    add_run(parser)
    parser.add_argument("images", type=a_path, nargs="*", metavar="FILE", help="images to classify")
    parser.add_argument(
        "--and",
        dest="other",
        type=a_path,
        metavar="DIR",
        help="another model of the same data set, such as one of p(x|y), to be put beside it",
    )
    add_settings(parser, ClassifyOptions)
    parser.set_defaults(command=classify)


def classify(given: argparse.Namespace) -> int:
    """Print the figures of every way on test images, and p(y|x) of the files."""
    from vae_core.analysis.class_figures import record_of
    from vae_core.analysis.classifiers import TITLES, Source, classify_steps

    options = options_of(given, ClassifyOptions)
    opened = [open_model(given)]
    if given.other is not None:
        opened.append(open_model(argparse.Namespace(run=given.other, device=given.device)))
    data = dataset_of(opened[0][0])
    if any(run.config.dataset != data.name for run, _ in opened):
        raise InvalidArgument("Both models must be of the same data set.")
    sources = [Source(model, run.config.train.binarisation) for run, model in opened]
    found = None
    for found in classify_steps(sources, data, options):
        report_share(found.share)
    assert found is not None
    record = record_of(found, options, data.name)
    files, failed = _files(given, found, sources, data.info)
    if given.json:
        print_json({**record, "files": files})
        return NOT_ALL_DONE if failed else ALL_DONE
    for name, each in record["ways"].items():
        raw, soft = each["raw"], each["with_temperature"]
        tell(
            f"{TITLES[name]}: accuracy {raw['accuracy']:.1%} ± {raw['accuracy_se']:.1%}, "
            f"NLL {raw['nll']:.3f}, ECE {raw['ece']:.3f}; with T = {each['temperature']:.2f}: "
            f"NLL {soft['nll']:.3f}, ECE {soft['ece']:.3f}; "
            f"{1000 * each['seconds_per_image']:.1f} ms an image"
        )
    for row in files:
        for name, each in row.get("ways", {}).items():
            best = max(range(len(each["probabilities"])), key=each["probabilities"].__getitem__)
            p = each["probabilities"][best]
            tell(f"{row['file']}: {data.info.classes[best]}, p = {p:.3f} by {TITLES[name]}")
        if "error" in row:
            say(f"error: {row['file']}: {row['error']}")
    return NOT_ALL_DONE if failed else ALL_DONE


def _files(
    given: argparse.Namespace, found: Any, sources: Any, info: Any
) -> tuple[list[dict[str, Any]], bool]:
    """Classify the files that were given; one that cannot be read has a reason instead."""
    from vae_core.analysis.classifiers import names_of
    from vae_core.data.decode import ImageError
    from vae_core.data.files import iter_files
    from vae_core.data.pixels import model_input
    from vae_core.data.prepare import prepare

    source_of = {name: each for each in sources for name in names_of(each.model)}
    rows: list[dict[str, Any]] = []
    for file, content in iter_files(given.images, "first") if given.images else ():
        try:
            if isinstance(content, ImageError):
                raise content
            pixels = prepare(content, file, info.image_shape, None, info).pixels
        except ImageError as error:
            rows.append({"file": file, "error": str(error)})
            continue
        ways = {}
        for way in found.ways:
            x = model_input(pixels, source_of[way.name].binarisation, given.seed)
            answer = way.classify(x)
            ways[way.name] = {
                "probabilities": answer.probabilities[0].tolist(),
                "se": None if answer.se is None else answer.se[0].tolist(),
                "log_px": float(answer.log_px[0]),
            }
        rows.append({"file": file, "ways": ways})
    return rows, any("error" in row for row in rows)
