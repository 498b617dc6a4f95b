"""A comparison as a record for JSON and as a table for CSV, the same for commands and pages."""

from collections.abc import Mapping, Sequence
from typing import Any

from vae_core.analysis.comparing import LEVEL, Ranking
from vae_core.runs.comparison import FIGURES, RANKED, Comparison, Group
from vae_core.wording.comparison import (
    FROM_BELOW,
    SEVERAL_WAYS,
    ranking_sentences,
    setting_in_words,
)


def record_of(found: Comparison) -> dict[str, Any]:
    """Convert a comparison to a table of plain values. Figures that are not known are None."""
    return {
        "level": LEVEL,
        "runs": [
            {
                "id": each.key,
                "name": name,
                "state": each.state,
                "settings": each.config.settings(),
                "problems": list(each.problems),
            }
            for each, name in zip(found.runs, found.names, strict=True)
        ],
        "differing_settings": [
            {"name": each.about.name, "label": each.about.label, "values": list(each.values)}
            for each in found.settings
        ],
        "groups": [_group_record(found, group) for group in found.groups],
        "sentences": sentences(found),
    }


def sentences(found: Comparison) -> list[str]:
    """Say which run is best by log p̂(x) in each group, or why that is not said."""
    said = [SEVERAL_WAYS.format(count=len(found.groups))] if len(found.groups) > 1 else []
    for group in found.groups:
        said += group_sentences(found, group)
    return list(dict.fromkeys(said))


def group_sentences(found: Comparison, group: Group) -> list[str]:
    """Say which run of a group is best by log p̂(x), or why that is not said."""
    if group.conditions.unranked and len(group.members) > 1:
        return [f"These runs are not ranked. {group.conditions.unranked}"]
    if "log_px" not in group.rankings:
        return []
    names = [found.names[i] for i in group.members]
    said = ranking_sentences(names, group.rankings["log_px"], "log_px")
    return [*said, FROM_BELOW] if said else []


def columns_of(found: Comparison) -> dict[str, list[Any]]:
    """Convert a comparison to columns: a row for each run in each group that has figures of it."""
    rows = [
        _row(found, index, number)
        for index in range(len(found.runs))
        for number in _groups_of(found, index)
    ]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return {name: [row.get(name, "") for row in rows] for name in names}


def _groups_of(found: Comparison, index: int) -> Sequence[int | None]:
    """Numbers of the groups with figures of a run; one None if there are none."""
    return [n for n, group in enumerate(found.groups) if index in group.members] or [None]


def _row(found: Comparison, index: int, number: int | None) -> dict[str, Any]:
    each = found.runs[index]
    row: dict[str, Any] = {"id": each.key, "name": found.names[index], "state": each.state}
    for setting in found.settings:
        row[setting.about.name] = setting_in_words(setting.about, setting.values[index])
    if number is None:
        return row
    group = found.groups[number]
    conditions = group.conditions
    row["group"] = number + 1
    row["protocol"] = conditions.protocol.text(pixels=conditions.pixels)
    place = group.members.index(index)
    for name in FIGURES:
        mean = group.means[name][place]
        row[name] = mean.value
        if name in RANKED:
            row[f"{name}_se"] = mean.se
            row[f"best_{name}"] = "yes" if group.best(name) == index else "no"
    return row


def _group_record(found: Comparison, group: Group) -> dict[str, Any]:
    conditions, keys = group.conditions, [found.runs[i].key for i in group.members]
    return {
        "protocol": conditions.protocol.to_dict(),
        "pixels": conditions.pixels,
        "likelihood": conditions.likelihood,
        "protocol_text": conditions.protocol.text(pixels=conditions.pixels),
        "not_ranked_because": conditions.unranked or None,
        "figures": [{"id": key, **_figures(group, i)} for i, key in enumerate(keys)],
        "rankings": {name: _ranking_record(each, keys) for name, each in group.rankings.items()},
    }


def _figures(group: Group, place: int) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in FIGURES:
        mean = group.means[name][place]
        found[name] = mean.value
        if name in (*RANKED, "bits_per_dim"):
            found[f"{name}_se"] = mean.se
    return found


def _ranking_record(found: Ranking, keys: Sequence[str]) -> Mapping[str, Any]:
    """Convert a ranking; differences are those of each run from the highest one."""
    table = found.differences
    first = found.order[0] if found.order else None
    return {
        "best": None if found.best is None else keys[found.best],
        "not_told_apart_from_the_highest": [keys[i] for i in found.leaders],
        "order": [keys[i] for i in found.order],
        "below_the_highest": [
            {
                "id": keys[i],
                "difference": float(table.value[first, i]),
                "se": float(table.se[first, i]),
                "p": float(table.p[first, i]),
                "paired": bool(table.paired[first, i]),
            }
            for i in found.order[1:]
        ],
    }
