"""What good and bad images show: the chosen rate, ROC, rates at each α, and distributions."""

from typing import TYPE_CHECKING, Any

import streamlit as st

from app.figures import score_groups as figures
from app.figures import style
from app.figures.score_groups import Point, Roc
from app.parts import charts, tables
from app.parts.text import shown_path
from app.services.models import Choice
from app.shell import errors
from app.views.score import groups_point
from vae_core.basics.errors import InvalidArgument
from vae_core.scoring.groups import DECIDING, RAW
from vae_core.scoring.operating_point import Costs
from vae_core.scoring.roc import Area, Rate, roc
from vae_core.settings.fields import settings_of
from vae_core.settings.options import OperatingPointOptions
from vae_core.wording.command import command
from vae_core.wording.detection import SCORE_NAMES
from vae_core.wording.groups import (
    area_sentences,
    area_with_interval,
    chosen_sentences,
    group_notes,
    percent,
    rate_with_interval,
)

if TYPE_CHECKING:
    from vae_core.scoring.groups import Group, Groups
    from vae_core.scoring.operating_point import Chosen

_OPTIONS = {each.name: each for each in settings_of(OperatingPointOptions)}
_LOWEST_COST, _SLIDER = "The rate with the lowest cost", "The rate of the slider"
_SHOWN_FAILURES = 4


def panels(groups: "Groups", choice: Choice, steps: dict[str, Any], false_alarms: float) -> None:
    """Draw everything about two groups that were measured.

    Args:
        steps: how the files were prepared.
        false_alarms: the rate of the slider.
    """
    _notes(groups)
    options = _controls(steps, false_alarms)
    costs = Costs(options.cost_miss, options.cost_alarm, options.share_bad)
    try:
        chosen = groups.choose(costs, options.false_alarms)
    except InvalidArgument as error:
        st.warning(errors.sentence(error))
        return
    areas = groups.areas()
    for sentences in (
        chosen_sentences(chosen, groups.held_out),
        area_sentences(areas[RAW], areas[DECIDING], groups.gain()),
    ):
        st.markdown(errors.plain(" ".join(sentences)))
    groups_point.save(groups, chosen, choice)
    left, right = st.columns(2, gap="large")
    with left:
        _roc(groups, chosen, areas)
    with right:
        _table(groups)
        _areas(areas)
    left, right = st.columns(2, gap="large")
    with left:
        _log_px(groups)
    with right:
        _p_values(groups, chosen)
    _export(groups, chosen, choice, options)


def _notes(groups: "Groups") -> None:
    """Say which files could not be used, and what was left out."""
    by_name = {"good": groups.good, "bad": groups.bad}
    failed = [each for group in by_name.values() for each in group.failed]
    lines = [f"{errors.plain(name)}: {errors.plain(why)}" for name, why in failed]
    if len(lines) > _SHOWN_FAILURES:
        lines[_SHOWN_FAILURES:] = [f"… and {len(lines) - _SHOWN_FAILURES:,} more."]
    notes = [*group_notes(by_name), *lines]
    if notes:
        st.caption("  \n".join(notes))


def _controls(steps: dict[str, Any], false_alarms: float) -> OperatingPointOptions:
    """Choose the costs, or the rate of the slider."""
    way = st.segmented_control(
        "Which rate",
        [_LOWEST_COST, _SLIDER],
        default=_LOWEST_COST,
        required=True,
        key="score-groups-way",
        help="The rate with the lowest cost is chosen with a part of the images and reported on "
        "the others. A rate that you pick after a look at these results is tuned on them: in use "
        "it finds a little less.",
    )
    miss, alarm, share = st.columns(3)
    cost_miss = _number(miss, "cost_miss", 1e-6)
    cost_alarm = _number(alarm, "cost_alarm", 1e-6)
    share_bad = share.number_input(
        f"{_OPTIONS['share_bad'].label} (%)",
        0.001,
        99.9,
        100 * _OPTIONS["share_bad"].default,
        step=1.0,
        format="%g",
        key="score-groups-share_bad",
        help="How many of 100 images are bad where the model is used. The groups that you give may "
        "have any sizes.",
    )
    given = false_alarms if way == _SLIDER else None
    return OperatingPointOptions(
        cost_miss=cost_miss,
        cost_alarm=cost_alarm,
        share_bad=round((share_bad or 1.0) / 100, 9),
        false_alarms=given,
        **steps,
    )


def _number(place: Any, name: str, low: float) -> float:
    about = _OPTIONS[name]
    return place.number_input(
        about.label, low, 1e9, about.default, step=1.0, format="%g", key=f"score-groups-{name}",
        help=about.help,
    )  # fmt: skip


def _roc(groups: "Groups", chosen: "Chosen", areas: dict[str, Area]) -> None:
    curves = []
    for name, colour in ((RAW, figures.RAW_COLOUR), (DECIDING, figures.DECIDING_COLOUR)):
        curve = roc(groups.good.scores[name], groups.bad.scores[name])
        title = f"{SCORE_NAMES[name]}: {area_with_interval(areas[name])}"
        curves.append(Roc(title, curve.false_alarms, curve.detected, colour))
    figure = figures.roc_figure(curves, _point(chosen.alarms), _point(chosen.detected))
    charts.chart(
        figure,
        "score-roc",
        f"ROC curves of good against bad images. Plain log p(x) has an area of "
        f"{areas[RAW].value:.3f}, the verdict's p-value {areas[DECIDING].value:.3f}.",
    )
    st.caption(
        "Of each curve: its area (95 % interval). “All together” is the p-value that verdicts come "
        "from. The diamond is the chosen rate with its intervals, on images that did not choose it."
    )


def _point(counted: Rate) -> Point:
    return Point(counted.value, *counted.between)


def _table(groups: "Groups") -> None:
    rows = groups.table()
    st.markdown("**At each false-alarm rate, on all images**")
    tables.table(
        {
            "Rate": [percent(row.false_alarms) for row in rows],
            "Bad images found": [rate_with_interval(row.detected) for row in rows],
            "Good images called": [rate_with_interval(row.alarms) for row in rows],
        },
        key="score-groups-table",
        hide_index=True,
        alt="How many bad images are found and how many good ones are called, by rate.",
    )
    lowest = percent(rows[0].false_alarms) if rows else "no rate"
    st.caption(
        "In brackets: the share and its 95 % interval (Wilson). The rates of this table are fixed, "
        f"so nothing is tuned here. {groups.held_out:,} held-out images support {lowest} and more."
    )


def _log_px(groups: "Groups") -> None:
    good, bad = groups.good.log_px, groups.bad.log_px
    figure = figures.groups_figure(good, bad, "Plain log p̂(x)", "log p̂(x) (nats)")
    charts.chart(figure, "score-groups-log-px", "Histograms of log p(x) of good and bad images.")


def _p_values(groups: "Groups", chosen: "Chosen") -> None:
    figure = figures.p_values_figure(groups.good.p_values, groups.bad.p_values, chosen.false_alarms)
    charts.chart(
        figure,
        "score-groups-p",
        "Histograms of the p-values of good and bad images; images left of the line are called "
        "unlike the training data.",
    )


def _areas(areas: dict[str, Area]) -> None:
    tables.table(
        {
            "Score": [SCORE_NAMES[name] for name in areas],
            "Area under the ROC curve (95 %)": list(map(area_with_interval, areas.values())),
        },
        hide_index=True,
        key="score-groups-areas",
        alt="Area under the ROC curve of each score.",
    )


def _export(
    groups: "Groups", chosen: "Chosen", choice: Choice, options: OperatingPointOptions
) -> None:
    st.download_button(
        "Both groups as CSV",
        lambda: style.csv_text(columns(groups, chosen)),
        file_name="good and bad images.csv",
        mime="text/csv",
        on_click="ignore",
        key="score-groups-csv",
        icon=":material/download:",
        type="tertiary",
        help="Saves the p-value of every image, and whether it is called at the chosen rate.",
    )
    st.caption("This command does the same with files of your own; `--save` keeps the rate:")
    places = [shown_path(choice.run.folder), "--good", "good/", "--bad", "bad/"]
    st.code(command("operating-point", places, options), language="bash", wrap_lines=True)


def columns(groups: "Groups", chosen: "Chosen") -> dict[str, list[Any]]:
    """The table of all images of both groups, by column."""

    def of(name: str, group: "Group") -> dict[str, list[Any]]:
        called = (group.p_values <= chosen.false_alarms + 1e-9).tolist()
        return {
            "file": list(group.names),
            "group": [name] * len(group.names),
            "log_px": group.log_px.tolist(),
            "p_value": group.p_values.tolist(),
            "called_unlike": called,
            "false_alarms": [chosen.false_alarms] * len(group.names),
        }

    good, bad = of("good", groups.good), of("bad", groups.bad)
    return {name: good[name] + bad[name] for name in good}
