"""``sweep``: train a model for each combination of several values of settings."""

import argparse
from collections.abc import Callable, Sequence
from typing import Any

from vae_core.basics.files import replace_plain
from vae_core.cli.costs import costs_of_all
from vae_core.cli.options import add_setting
from vae_core.cli.shared import ALL_DONE, NOT_ALL_DONE, a_path, a_positive, print_json, say, tell
from vae_core.runs.run import RunError
from vae_core.runs.sweep_figures import figures_of, sweep_columns, sweep_record
from vae_core.runs.sweep_training import train_sweep
from vae_core.runs.sweeps import DamagedSweep, Sweep, SweepStore
from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.fields import ConfigError, settings_of
from vae_core.settings.grid import SEED, SWEEPABLE, Grid
from vae_core.settings.presets import PRESETS
from vae_core.wording.comparison import NO_MEANING, TITLES
from vae_core.wording.large_run import LONGEST
from vae_core.wording.numbers import duration, in_hundredths
from vae_core.wording.sweep import cost_sentence

_ACTIONS = {
    "resume": "continue this sweep; create and train what is missing",
    "extend": "add the values of the settings that are given to this sweep, and train what is new",
    "show": "print the figures of this sweep as it is now",
    "pause": "pause the runs of this sweep that are queued or running",
    "stop": "stop the runs of this sweep",
    "remove": "move this sweep and its runs into .removed in the run store; nothing is deleted",
}


def add_sweep(commands: Any) -> None:
    about = "train a model for each combination of several values of settings"
    parser = commands.add_parser(
        "sweep",
        help=about,
        description=f"{about.capitalize()}. A setting with several values is given as "
        "--latent-size 2 8 16. A sweep with the same settings that exists is continued.",
    )
    parser.add_argument(
        "--seeds", type=a_positive, metavar="N", help="train every combination with N seeds"
    )
    which = parser.add_mutually_exclusive_group()
    for name, about in _ACTIONS.items():
        which.add_argument(f"--{name}", metavar="SWEEP", help=about)
    which.add_argument("--list", action="store_true", help="list the sweeps of the run store")
    parser.add_argument(
        "--queue", action="store_true", help="leave the training to the background worker"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what it would cost")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.add_argument(
        "--csv", type=a_path, metavar="FILE", help="also write a row for each combination"
    )
    parser.add_argument(
        "--yes", action="store_true", help="start a sweep that would take over a day"
    )
    parser.add_argument("--preset", choices=PRESETS, help="settings to start from, as for train")
    several = {each.name for each in SWEEPABLE}
    for kind in (RunConfig, ModelConfig, TrainConfig):
        for each in settings_of(kind):
            add_setting(parser, each, only_given=True, several=each.name in several)
    parser.set_defaults(command=sweep)


def sweep(given: argparse.Namespace) -> int:
    """Run one of the actions on sweeps; without one, make a sweep and train it."""
    store = SweepStore()
    if given.list:
        return _list(store, given.json)
    for name in _ACTIONS:
        if (sweep_id := getattr(given, name)) is not None:
            return _on_existing(name, store, store.get(sweep_id), given)
    grid = _grid(given)
    found = store.find(grid)
    progress = None if found is None else store.progress(found)
    done = 0 if progress is None else progress.counts.get("done", 0)
    _say_costs([point.config for point in grid.points][done:], given)
    if given.dry_run:
        return ALL_DONE
    if found is None:
        found = store.create(grid, grid.settings.get("title", ""), _first_state(given))
        say(f"The sweep {found.id} has {len(found.planned)} runs.")
    else:
        say(f"The sweep {found.id} exists: {done} of its {len(found.planned)} runs are done.")
    return _train(store, found, given)


def _on_existing(action: str, store: SweepStore, found: Sweep, given: argparse.Namespace) -> int:
    _check_options(action, given)
    if action == "extend":
        settings, values = _given(given)
        more = {name: (value,) for name, value in settings.items()} | values
        before = {point.key for point in found.grid.points}
        points = found.grid.with_more(more).points
        _say_costs([point.config for point in points if point.key not in before], given)
        if given.dry_run:
            return ALL_DONE
        found = store.extend(found, more, _first_state(given))
    if action in ("extend", "resume"):
        return _train(store, found, given)
    if action == "remove":
        target = store.remove(found)
        say(f"The sweep {found.id} is removed from all lists. Its file is now {target}.")
        return ALL_DONE
    if action in ("pause", "stop"):
        change: Callable[[Sweep], None] = getattr(store, action)
        change(found)
    return _report(store, found, given)


def _check_options(action: str, given: argparse.Namespace) -> None:
    settings, values = _given(given)
    if action == "extend" and not (settings or values):
        raise ConfigError("--extend needs values, such as --seeds 5 or --latent-size 16.")
    if action != "extend" and (settings or values):
        name = next(iter({**settings, **values})).replace("_", "-")
        raise ConfigError(f"--{action} uses the settings of the sweep, so --{name} is not allowed.")


def _first_state(given: argparse.Namespace) -> Any:
    return "queued" if given.queue else "paused"  # the background worker ignores paused runs


# ---- what is asked for


def _given(given: argparse.Namespace) -> tuple[dict[str, Any], dict[str, tuple[Any, ...]]]:
    """Settings that were given one value, and those that were given several."""
    settings: dict[str, Any] = dict(PRESETS[given.preset].settings) if given.preset else {}
    values: dict[str, tuple[Any, ...]] = {}
    several = {each.name for each in SWEEPABLE}
    names = [s.name for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind)]
    for name in names:
        if not hasattr(given, name):
            continue
        value = getattr(given, name)
        settings.pop(name, None)
        if name not in several:
            settings[name] = value
        elif len(value) == 1:
            settings[name] = value[0]
        else:
            values[name] = tuple(value)
    if given.seeds is not None:
        if SEED in values:
            raise ConfigError("--seeds counts from one --seed; give one seed, or no --seeds.")
        first = settings.pop(SEED, 0)
        values[SEED] = tuple(range(first, first + given.seeds))
    return settings, values


def _grid(given: argparse.Namespace) -> Grid:
    settings, values = _given(given)
    if not values:
        raise ConfigError(
            "A sweep needs a setting with several values, such as --latent-size 2 8 or --seeds 3. "
            "To train one run, use train."
        )
    return Grid.of(settings, values)


def _say_costs(configs: Sequence[RunConfig], given: argparse.Namespace) -> None:
    """Say what the runs would cost.

    Raises:
        RunError: if they would take over a day, unless that was allowed.
    """
    if not configs or (costs := costs_of_all(configs)) is None:
        return
    say(cost_sentence(len(configs), *costs) + ".")
    if costs[0] > LONGEST and not given.yes and not given.dry_run:
        raise RunError(
            f"This sweep would take about {duration(costs[0])}. Add --yes to start it all the same."
        )


# ---- training and results


def _train(store: SweepStore, found: Sweep, given: argparse.Namespace) -> int:
    if given.queue:
        from vae_core.runs.worker import ensure_worker

        store.resume(found)
        ensure_worker(store.store)
        say(f"Queued. See it with --show {found.id}, or on the page Compare.")
        return _report(store, found, given, ALL_DONE)
    if not train_sweep(store, found, say):
        say(f"Paused. The same command, or --resume {found.id}, continues the sweep.")
    return _report(store, found, given)


def _report(
    store: SweepStore, found: Sweep, given: argparse.Namespace, status: int | None = None
) -> int:
    progress = store.progress(found)
    figures = figures_of(progress)
    if given.csv is not None:
        from vae_core.basics.tables import csv_text

        replace_plain(given.csv, csv_text(sweep_columns(figures)))
    for member in progress.members:
        if member.problem:
            say(f"error: {member.problem}")
    if given.json:
        print_json(sweep_record(found, progress, figures))
    else:
        _print(found, progress.counts, figures)
    if status is not None or given.show or given.pause or given.stop:
        return status or ALL_DONE
    return ALL_DONE if set(progress.counts) == {"done"} else NOT_ALL_DONE


def _print(found: Sweep, counts: Any, figures: Any) -> None:
    tell(f"{found.title}: " + ", ".join(f"{n} {state}" for state, n in counts.items()))
    if figures.group is None:
        tell("No run of this sweep has final figures yet.")
        return
    conditions = figures.group.conditions
    tell(conditions.protocol.text(pixels=conditions.pixels))
    shown = ("log_px", "elbo", "kl")
    rows = [["nats per image", "seeds", *(f"{TITLES[name]}" for name in shown)]]
    for cell in figures.cells:
        cells = [cell.figures[name] for name in shown]
        numbers = [in_hundredths(c.value, c.se, "") if c.seeds else NO_MEANING for c in cells]
        rows.append([cell.name, f"{cells[0].seeds} of {cell.planned}", *map(str.strip, numbers)])
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        tell("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
    for sentence in figures.sentences("log_px"):
        tell(sentence)


def _list(store: SweepStore, as_json: bool) -> int:
    rows, status = [], ALL_DONE
    for each in store.entries():
        if isinstance(each, DamagedSweep):
            status = NOT_ALL_DONE
            rows.append({"sweep": each.id, "error": each.reason})
            continue
        counts = dict(store.progress(each).counts)
        rows.append({"sweep": each.id, "title": each.title, "states": counts})
    if as_json:
        print_json({"sweeps": rows})
        return status
    for row in rows:
        states = ", ".join(f"{n} {state}" for state, n in row.get("states", {}).items())
        tell(f"{row['sweep']}  {states or row.get('error')}  {row.get('title', '')}".rstrip())
    return status
