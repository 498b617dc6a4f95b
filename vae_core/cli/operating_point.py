"""``operating-point``: choose the false-alarm rate of verdicts with good and bad images."""

import argparse
import dataclasses
from typing import TYPE_CHECKING, Any

from vae_core.cli.calibrate import current_calibration
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
from vae_core.runs.run import Run
from vae_core.settings.fields import ConfigError
from vae_core.settings.options import OperatingPointOptions

if TYPE_CHECKING:
    from vae_core.runs.operating_points import UsualRate
    from vae_core.scoring.groups import Group, Groups
    from vae_core.scoring.operating_point import Chosen, RatesAt
    from vae_core.scoring.roc import Area, Rate

_ABOUT = "choose the false-alarm rate of verdicts with good and bad images"


def add_operating_point(commands: Any) -> None:
    parser = commands.add_parser(
        "operating-point",
        help=_ABOUT,
        description=f"{_ABOUT.capitalize()}: detection rates, ROC, and the rate with the lowest "
        "cost. Its rates are reported on images that it was not chosen with. With --save, scores "
        "of the model use it from then on. Without images, the present operating point is shown.",
    )
    add_run(parser)
    for group, what in (("good", "like those that the model was trained on, but new"),
                        ("bad", "that a verdict should find")):  # fmt: skip
        parser.add_argument(
            f"--{group}",
            type=a_path,
            nargs="+",
            action="extend",
            default=[],
            metavar="IMAGE|FOLDER|ZIP",
            help=f"{group} images: images {what}",
        )
    add_settings(parser, OperatingPointOptions)
    changes = parser.add_mutually_exclusive_group()
    changes.add_argument(
        "--save", action="store_true", help="use the rate from now on where no other is given"
    )
    changes.add_argument(
        "--forget", action="store_true", help="forget the operating point; the usual rate is back"
    )
    parser.set_defaults(command=operating_point)


def operating_point(given: argparse.Namespace) -> int:
    """Compare good and bad images; or show, or forget, the operating point of a model."""
    if bool(given.good) != bool(given.bad):
        missing = "bad" if given.good else "good"
        raise ConfigError(f"Both groups of images are needed: give --{missing} images too.")
    if given.forget and given.good:
        raise ConfigError("--forget needs no images; give it alone.")
    if given.save and not given.good:
        raise ConfigError("--save needs images: give --good and --bad.")
    if given.good:
        return _compare(given)
    run = Run.open(given.run)
    return _forget(run, given) if given.forget else _show(run, given)


def _show(run: Run, given: argparse.Namespace) -> int:
    from vae_core.runs.operating_points import usual_rate
    from vae_core.wording.groups import point_sentence

    usual = usual_rate(run)
    if usual.note:
        say(usual.note)
    if given.json:
        print_json({"run": str(given.run), **_usual_json(usual)})
    elif usual.point is None:
        tell(f"No operating point is kept; verdicts have {usual.false_alarms:.0%} false alarms.")
    else:
        tell(point_sentence(usual.point))
    return ALL_DONE


def _forget(run: Run, given: argparse.Namespace) -> int:
    from vae_core.runs.operating_points import forget_operating_point, usual_rate

    was_kept = forget_operating_point(run)
    if given.json:
        print_json({"run": str(given.run), "forgotten": was_kept, **_usual_json(usual_rate(run))})
    else:
        tell("The operating point was forgotten." if was_kept else "No operating point was kept.")
    return ALL_DONE


def _compare(given: argparse.Namespace) -> int:
    run, model = open_model(given)
    from vae_core.basics.progress import result_of
    from vae_core.data.files import iter_files
    from vae_core.data.prepare import PrepareOptions
    from vae_core.scoring.groups import groups_steps
    from vae_core.scoring.operating_point import Costs

    options = options_of(given, OperatingPointOptions)
    calibration = current_calibration(run, model)
    steps = groups_steps(
        model,
        calibration,
        iter_files(given.good, options.frames),
        iter_files(given.bad, options.frames),
        PrepareOptions(options.invert, options.contrast, options.crop, options.centre),
        run.config.info,
        options.seed,
    )
    groups = result_of(steps, report_share)
    failed = [*groups.good.failed, *groups.bad.failed]
    for name, why in failed:
        say(f"{name}: {why}")
    costs = Costs(options.cost_miss, options.cost_alarm, options.share_bad)
    chosen = groups.choose(costs, options.false_alarms, options.seed)
    if given.json:
        print_json({"run": str(given.run), **_as_json(groups, chosen), "seed": options.seed})
    else:
        _print(groups, chosen)
    if given.save:
        _save(run, groups, chosen, options.by)
    return NOT_ALL_DONE if failed else ALL_DONE


def _save(run: Run, groups: "Groups", chosen: "Chosen", by: str) -> None:
    from vae_core.runs.operating_points import keep_operating_point

    path = keep_operating_point(
        run, lambda made, mark: groups.operating_point(chosen, made, by, mark)
    )
    say(f"Saved as {path}; scores of this model use it from now on.")


def _usual_json(usual: "UsualRate") -> dict[str, Any]:
    from vae_core.runs.operating_points import as_json

    return {
        "false_alarms": usual.false_alarms,
        "false_alarms_from": usual.source,
        "operating_point": usual.point and as_json(usual.point),
    }


def _as_json(groups: "Groups", chosen: "Chosen") -> dict[str, Any]:
    from vae_core.scoring.false_alarms import rate_between
    from vae_core.scoring.groups import DECIDING

    gain = groups.gain()
    return {
        "false_alarms": chosen.false_alarms,
        "false_alarms_between": rate_between(chosen.false_alarms, groups.held_out),
        "way": chosen.way,
        "costs": dataclasses.asdict(chosen.costs),
        "calls_for_nothing": chosen.calls_for_nothing,
        "detected": _rate_json(chosen.detected),
        "alarms": _rate_json(chosen.alarms),
        "held_out_images": groups.held_out,
        "rates": [_row_json(row) for row in groups.table()],
        "areas": {name: _area_json(each) for name, each in groups.areas().items()},
        "gain": {"score": DECIDING, "value": gain.value, "se": gain.se, "between": gain.between},
        "good": _group_json(groups.good),
        "bad": _group_json(groups.bad),
    }


def _rate_json(rate: "Rate") -> dict[str, Any]:
    return {**dataclasses.asdict(rate), "value": rate.value, "between": rate.between}


def _row_json(row: "RatesAt") -> dict[str, Any]:
    return {
        "false_alarms": row.false_alarms,
        "detected": _rate_json(row.detected),
        "alarms": _rate_json(row.alarms),
    }


def _area_json(area: "Area") -> dict[str, Any]:
    return {"value": area.value, "se": area.se, "between": area.between}


def _group_json(group: "Group") -> dict[str, Any]:
    rows = zip(group.names, group.log_px.tolist(), group.p_values.tolist(), strict=True)
    return {
        "images": [{"file": name, "log_px": log_px, "p_value": p} for name, log_px, p in rows],
        "sha256": group.digest,
        "copies": group.copies,
        "failed": [{"file": name, "error": why} for name, why in group.failed],
    }


def _print(groups: "Groups", chosen: "Chosen") -> None:
    from vae_core.scoring.groups import DECIDING, RAW
    from vae_core.wording.detection import SCORE_NAMES
    from vae_core.wording.groups import (
        area_sentences,
        area_with_interval,
        chosen_sentences,
        group_notes,
        percent,
        rate_with_interval,
    )

    areas = groups.areas()
    tell(" ".join(chosen_sentences(chosen, groups.held_out)))
    tell(" ".join(area_sentences(areas[RAW], areas[DECIDING], groups.gain())))
    for note in group_notes({"good": groups.good, "bad": groups.bad}):
        tell(note)
    tell("\nAt each false-alarm rate, on all images:\n")
    tell(f"{'rate':>7}  {'bad images found':38}good images called")
    for row in groups.table():
        cells = rate_with_interval(row.detected), rate_with_interval(row.alarms)
        tell(f"{percent(row.false_alarms):>7}  {cells[0]:38}{cells[1]}")
    tell("\nArea under the ROC curve of each score:\n")
    for name, found in areas.items():
        tell(f"{SCORE_NAMES[name]:24}{area_with_interval(found)}")
    tell(f"\nDigest of the good files: {groups.good.digest}\nDigest of the bad files:  "
         f"{groups.bad.digest}")  # fmt: skip
