"""The Figures tab: final figures in groups that were measured in the same way."""

import math

import streamlit as st

from app.parts import tables
from app.parts.glossary import see
from app.shell import errors
from vae_core.runs.comparison import FIGURES, Comparison, Group
from vae_core.runs.comparison_export import group_sentences
from vae_core.wording.comparison import SEVERAL_WAYS, TITLES, figure_in_words

_BEST = "★ "


def show(found: Comparison) -> None:
    """Draw the tab."""
    if len(found.groups) > 1:
        st.markdown(SEVERAL_WAYS.format(count=len(found.groups)))
    for number, group in enumerate(found.groups):
        _group(found, group, number)
    without = [n for n, each in zip(found.names, found.runs, strict=True) if not each.figures]
    if without:
        st.caption(
            errors.plain(f"Without final figures, which a run has when it is done: {without[0]}")
            + (f" and {len(without) - 1} more." if len(without) > 1 else ".")
        )
    st.caption(
        f"Nats per image, mean ± standard error over images. {_BEST.strip()} marks a run that is "
        "better than every other one of its table." + see("log-px-hat", "elbo", "kl")
    )


def _group(found: Comparison, group: Group, number: int) -> None:
    conditions = group.conditions
    said = [errors.plain(sentence) for sentence in group_sentences(found, group)]
    with st.container(key=f"compare-group-{number}", gap="small"):
        if said:
            st.markdown(f"**{said[0]}**")
        tables.table(
            {"Run": [found.names[i] for i in group.members]}
            | {TITLES[name]: _column(group, name) for name in FIGURES if _is_known(group, name)},
            hide_index=True,
            key=f"compare-figures-{number}",
        )
        protocol = conditions.protocol.text(pixels=conditions.pixels)
        st.caption("  \n".join([errors.plain(protocol), *said[1:]]))


def _is_known(group: Group, name: str) -> bool:
    return any(math.isfinite(mean.value) for mean in group.means[name])


def _column(group: Group, name: str) -> list[str]:
    best = group.best(name)
    return [
        _BEST * (index == best) + figure_in_words(name, group.means[name][place])
        for place, index in enumerate(group.members)
    ]
