"""The preview of a new data set: some of its images as it will have them, and what was found."""

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

import streamlit as st

from app.parts import live, picture_rows
from app.services import adding
from app.services.work import Bench
from app.shell import errors
from vae_core.data.examination import TABLE
from vae_core.data.own import FEWEST_IMAGES
from vae_core.settings.own_data import AddOptions
from vae_core.wording.own_data import without_option

if TYPE_CHECKING:
    from vae_core.data.examination import Examined
    from vae_core.data.preview import Previewed

_MOST_ROWS = 8
_LISTED = 5  # classes, or refused files


def show(intake: adding.Intake, found: "Examined", options: AddOptions) -> None:
    """Show what was found in the files, and prepare some of the images."""
    st.markdown(f"**{_found(found)}**")
    task = adding.preview(intake, found, options)

    def draw(bench: Bench) -> None:
        state = bench.latest(task)
        if state is not None and state.result is not None:
            _pictures(state.result)

    live.panel([task], draw, "data-preview")
    _notes(found)


def _pictures(previewed: "list[Previewed]") -> None:
    shown = [each for each in previewed if each.pixels is not None]
    by_class = {label: list(group) for label, group in groupby(shown, lambda each: each.label)}
    if len(by_class) > _MOST_ROWS:
        by_class = {None: shown}
    rows = [
        picture_rows.Row(
            (label or "no class") if len(by_class) > 1 else "",
            [each.pixels for each in group if each.pixels is not None],
            [each.name for each in group],
        )
        for label, group in by_class.items()
    ]
    picture_rows.show(rows, "data-preview-rows")
    if shown:
        height, width = rows[0].images[0].shape[1:]
        st.caption(
            f"{len(shown)} images as the data set will have them, {height}×{width} pixels. Nothing "
            "has been kept yet."
        )
    for each in previewed:
        if each.pixels is None:
            st.warning(errors.plain(f"{each.name}: {each.error}"))


def _found(found: "Examined") -> str:
    """Count the images and the classes."""
    images = found.images
    count = f"{len(images):,} {'image' if len(images) == 1 else 'images'}"
    classes = Counter(each.place.label for each in images if each.place.label is not None)
    if not classes:
        return f"{count} without classes"
    largest = classes.most_common(_LISTED)
    names = ", ".join(f"{errors.plain(label)} {number:,}" for label, number in largest)
    many = "" if len(classes) <= _LISTED else ", …"
    which = "class" if len(classes) == 1 else "classes"
    return f"{count} in {len(classes):,} {which}: {names}{many}"


def _notes(found: "Examined") -> None:
    if len(found.images) < FEWEST_IMAGES:
        st.warning(f"A data set needs at least {FEWEST_IMAGES} different images; give more.")
    for note in found.notes:
        st.caption(errors.plain(without_option(note)))
    refused = [(each.name, each.refused) for each in found.files if each.refused not in ("", TABLE)]
    refused += found.lost
    if not refused:
        return
    count = len(refused)
    with st.expander(f"{count:,} {'file' if count == 1 else 'files'} cannot be used"):
        for name, reason in refused[:_LISTED]:
            st.markdown(f"- {errors.plain(f'{name}: {reason}')}")
        if count > _LISTED:
            st.caption(f"and {count - _LISTED:,} more; the data set lists them once it is added.")
