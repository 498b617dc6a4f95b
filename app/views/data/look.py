"""The chosen data set: its images, the numbers of its classes, and how it was made."""

import html

import streamlit as st

from app.figures import data as figures
from app.parts import charts, forms, missing_data, pickers, picture_rows, tables, widgets
from app.services import samples
from app.shell import errors, navigation
from app.views.data import keeping, removing
from vae_core.data.catalogue import at_hand, stored_dataset
from vae_core.data.history import History, history_of
from vae_core.data.kept import KeptDataset
from vae_core.settings.config import explain
from vae_core.settings.data_sets import DataError, DatasetInfo, Split, find_dataset
from vae_core.wording.own_data import (
    image_sentence,
    preparation_sentence,
    training_sentence,
    without_option,
)

SPLITS: dict[Split, str] = {"train": "Training", "validation": "Validation", "test": "Test"}
NEEDED_FOR = "Download it once to see its images and to train on it."
_TURN = "data-turn"
_MOST_NAMED = 12  # classes whose names are listed


def show() -> None:
    """Show the chosen data set."""
    with st.container(key="data-choice"):
        name = pickers.pick_dataset()
        split = _pick_split()
        _actions(find_dataset(name))
    info = find_dataset(name)
    if not at_hand(name):
        missing_data.for_dataset(name, NEEDED_FOR)
        _facts(info, None)
        return
    try:
        groups = samples.sheet(name, split, st.session_state.get(_TURN, 0))
        counts = samples.counts(name)
    except DataError as error:  # its files are damaged
        st.error(errors.sentence(error))
        return
    history = _history(name)
    sheet, beside = st.columns([1.5, 1], gap="large")
    with sheet:
        rows = [picture_rows.Row(g.name, g.images, g.labels) for g in groups]
        picture_rows.show(rows, "data-sheet")
        _sheet_caption(sum(len(group.images) for group in groups), info, split)
    with beside:
        _facts(info, history)
        if info.classes:
            _chart(info, counts)
    if history is not None:
        _how(info, history)
    widgets.code(_code(info))


def _pick_split() -> Split:
    chosen: Split | None = st.segmented_control(
        "Images", list(SPLITS), format_func=SPLITS.__getitem__, default="train", required=True,
        key="split", help="The part of the data set that the images below are from.",
        **widgets.IN_URL,
    )  # fmt: skip
    return chosen or "train"


def _actions(info: DatasetInfo) -> None:
    with st.container(key="data-actions", horizontal=True, gap="small"):
        if info.is_own:
            keeping.controls(info)
            removing.button(info.name)
        pressed = st.button(
            "Train on it",
            type="primary",
            icon=":material/model_training:",
            key="data-train",
            help="Opens Train with this data set chosen and the settings that suit it.",
        )
    if pressed:
        forms.choose_dataset(info.name)
        navigation.go("train")


def _sheet_caption(count: int, info: DatasetInfo, split: Split) -> None:
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        total = info.sizes[split]
        some = f"{count:,} of {total:,}" if count < total else f"All {total:,}"
        st.caption(f"{some} {SPLITS[split].lower()} images", width="content")
        if count < total:
            st.button(
                "Others", on_click=_turn, key="data-others", icon=":material/shuffle:",
                type="tertiary", help="Shows other images of the same part.",
            )  # fmt: skip


def _turn() -> None:
    st.session_state[_TURN] = st.session_state.get(_TURN, 0) + 1


def _history(name: str) -> History | None:
    stored = stored_dataset(name)
    return history_of(stored.record) if isinstance(stored, KeptDataset) else None


def _facts(info: DatasetInfo, history: History | None) -> None:
    """List what is known about a data set."""
    sizes = ", ".join(f"{count:,} {SPLITS[split].lower()}" for split, count in info.sizes.items())
    facts = {
        "Images": f"{sum(info.sizes.values()):,}, {image_sentence(info)}",
        "Parts": sizes,
        "Classes": _classes(info),
        "Name": info.name,
        "From": "built in" if info.embedded and history is None else "built in, after a download",
    }
    if history is not None:
        facts["From"] = history.source + (f", added {history.added}" if history.added else "")
        facts["Copies"] = _copies(history)
    if likelihood := info.suggested.get("likelihood"):
        facts["Likelihood"] = (
            f"{explain('likelihood').titles.get(likelihood, likelihood)}, suggested"
        )
    if info.is_own:
        facts["Training"] = training_sentence(info)
    rows = "".join(
        f"<dt>{html.escape(term)}</dt><dd>{html.escape(text)}</dd>" for term, text in facts.items()
    )
    st.html(f'<dl class="data-facts">{rows}</dl>')


def _classes(info: DatasetInfo) -> str:
    count = len(info.classes)
    if not count:
        return "none"
    names = ", ".join(info.classes[:_MOST_NAMED]) + ", …" * (count > _MOST_NAMED)
    return f"{count:,}: {names}"


def _copies(history: History) -> str:
    if not history.copies:
        return "no image is an exact copy of another"
    out = f", {history.left_out:,} of them left out" if history.left_out else ""
    return f"{history.copies:,} exact {'copy' if history.copies == 1 else 'copies'}{out}"


def _chart(info: DatasetInfo, counts: samples.Counts) -> None:
    of_classes = {split: each[:-1] for split, each in counts.items()}
    charts.chart(
        figures.counts_figure(of_classes, info.classes),
        "data-counts",
        f"Bar chart: how many images each of {len(info.classes):,} classes has in each part.",
        csv=figures.counts_table(of_classes, info.classes),
    )
    if unlabelled := sum(int(each[-1]) for each in counts.values()):
        st.caption(f"{unlabelled:,} images have no class.")


def _how(info: DatasetInfo, history: History) -> None:
    """Say how files became pixels, and which files did not."""
    how, rejected = st.columns([1.5, 1], gap="large")
    with how:
        st.header("How files became pixels", anchor=False)
        assert info.preparation is not None
        sentences = [preparation_sentence(info.preparation), history.split]
        sentences += [without_option(each) for each in (*history.reasons, *history.notes)]
        st.markdown("\n".join(f"- {errors.plain(each)}" for each in sentences if each))
    with rejected:
        st.header(f"Rejected: {_files(history.rejected_count)}", anchor=False)
        if history.rejected:
            table = {"file": [f for f, _ in history.rejected]}
            table["reason"] = [reason for _, reason in history.rejected]
            tables.table(table, "data-rejected", height=180)
            if history.rejected_count > len(history.rejected):
                st.caption(f"The first {len(history.rejected):,} are listed.")


def _files(count: int) -> str:
    return "no file" if not count else f"{count:,} {'file' if count == 1 else 'files'}"


def _code(info: DatasetInfo) -> list[str]:
    return [
        "from vae_core import load_dataset",
        "",
        f"data = load_dataset({info.name!r})",
        'images, labels = data.split("train")  # uint8 (N, C, H, W), int64 (N,)',
        "print(data.info)",
    ]
