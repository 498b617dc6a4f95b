"""The images of a region that is drawn on the map: a sheet, their figures, and files of them."""

import io
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from numpy.typing import NDArray
from PIL import Image

from app.figures import style
from app.figures.regions import Region, region_of_selection, region_of_text
from app.parts import live
from app.parts.components.image_sheet import Group, Thumbnail, image_sheet, selected
from app.services import latent, thumbnails
from app.services.latent import Cloud, View
from app.shell import errors
from app.views.latent import region_figures, selection
from app.views.latent.region_figures import Measured
from vae_core.settings.protocol import Protocol

MOST = 300
"""Images of a region that are shown, measured and saved at most."""
_ADDRESS = "region"
_ANCHOR = "latent-region-anchor"


def take(view: View, method: str, chosen: Mapping[str, Any]) -> bool:
    """Open the region of a selection. Return whether there is a new one. Call it in a callback."""
    found = region_of_selection(chosen)
    if found is None or found.text() == st.query_params.get(_ADDRESS):
        return False
    st.session_state[_ANCHOR] = _anchor(view, method)
    st.query_params[_ADDRESS] = found.text()
    return True


def _anchor(view: View, method: str) -> str:
    """Key of the map that a region belongs to. The region is dropped when the map changes."""
    return "/".join((*view.identity(), method))


def of_address(view: View, method: str) -> Region | None:
    """Return the region that the address has for this map; None if it has none."""
    anchor = _anchor(view, method)
    if st.session_state.get(_ANCHOR, anchor) != anchor:
        st.query_params.pop(_ADDRESS, None)
    st.session_state[_ANCHOR] = anchor
    return region_of_text(st.query_params.get(_ADDRESS, ""))


def _close() -> None:
    st.query_params.pop(_ADDRESS, None)


def show(view: View, index: int, around: Cloud, method: str) -> None:
    """Show the images in the region of the address, if there is one."""
    region = of_address(view, method)
    if region is None:
        return
    inside = np.flatnonzero(region.contains(around.points))
    with st.container(key="latent-region"):
        title, button = st.columns([8, 2], vertical_alignment="bottom")
        title.subheader(f"{_images(len(inside))} in the region", anchor=False)
        button.button(
            "Close",
            on_click=_close,
            key="latent-region-close",
            icon=":material/close:",
            width="stretch",
            help="Closes the sheet. The map stays as it is.",
        )
        if len(inside):
            key = f"latent-sheet-{abs(hash((_anchor(view, method), region)))}"
            _sheet(view, index, around, inside, key)
        else:
            st.caption("No point of the map lies in it. Draw another region.")


def _images(count: int) -> str:
    return f"{count:,} image{'s' * (count != 1)}"


def _sheet(view: View, index: int, around: Cloud, inside: NDArray[np.intp], key: str) -> None:
    shown = inside[np.linspace(0, len(inside) - 1, min(len(inside), MOST)).astype(int)]
    if len(shown) < len(inside):
        st.caption(
            f"{MOST} of the {len(inside):,} images are shown, measured and saved, spread evenly "
            "over their numbers."
        )
    numbers, labels = around.index[shown], around.labels[shown]
    task = region_figures.task(view, numbers)
    live.panel([task], lambda _: None, "latent-region-figures")
    measured = live.bench().latest(task)
    groups = _groups(view, numbers, labels, measured)
    image_sheet(key, groups, "", str(index), lambda: _choose(key))
    _protocol(view, len(numbers))
    _save(view, numbers, labels, selected(key), measured)


def _groups(
    view: View, numbers: NDArray[np.intp], labels: NDArray[np.intp], measured: Measured | None
) -> list[Group]:
    texts = region_figures.texts(view, numbers, measured)
    groups = []
    for label in np.unique(labels):
        name = view.data_info.class_name(int(label))
        pictures = [
            Thumbnail(str(i), thumbnails.source(view, i), f"image {i}, class {name}{texts[i]}")
            for i in map(int, numbers[labels == label])
        ]
        groups.append(Group(f"Class {name}", style.class_colour(int(label)), pictures))
    return groups


def _choose(key: str) -> None:
    """Callback: choose the image that was selected last on the sheet."""
    names = selected(key)
    if names and names[-1].isdecimal():
        selection.choose(int(names[-1]))


def _protocol(view: View, count: int) -> None:
    scores = latent.held_out(view)
    protocol = Protocol(view.data_info.name, view.split, seed=latent.SEED)
    kept = ""
    if scores is not None:
        samples = scores.protocol["importance_samples"]
        kept = f" log p(x) is from the figures of the run, K = {samples:,}."
    st.caption(
        f"{errors.plain(protocol.text(_images(count), pixels=view.pixels))}. ELBO and "
        f"KL(q(z|x) ‖ p(z)) of each image with L = {region_figures.DRAWS} draws of z, in nats."
        f"{kept} A click chooses the image; hold the pointer on it to read its figures."
    )


def _save(
    view: View,
    numbers: NDArray[np.intp],
    labels: NDArray[np.intp],
    names: Sequence[str],
    measured: Measured | None,
) -> None:
    """Draw the buttons that save the images: those selected on the sheet, else all of it."""
    chosen = np.isin(numbers.astype(str), names) if names else np.ones(len(numbers), bool)
    if not chosen.any():
        chosen[:] = True
    what = "the selected images" if names else "all images of the sheet"
    with st.container(horizontal=True, gap="small", key="latent-region-save"):
        st.download_button(
            "Figures as CSV",
            lambda: table(view, numbers[chosen], labels[chosen], measured),
            file_name="region.csv",
            mime="text/csv",
            on_click="ignore",
            key="latent-region-csv",
            icon=":material/table:",
            help=f"Saves class, ELBO, KL and, where it is known, log p(x) of {what}.",
        )
        st.download_button(
            "Images as .zip",
            lambda: archive(view, numbers[chosen]),
            file_name="region.zip",
            mime="application/zip",
            on_click="ignore",
            key="latent-region-zip",
            icon=":material/folder_zip:",
            help=f"Saves {what} as PNG files, with the levels of the data set.",
        )


def table(
    view: View,
    numbers: NDArray[np.intp],
    labels: NDArray[np.intp],
    measured: Measured | None,
) -> str:
    """Figures of images as CSV, with their protocol; what is not known is empty."""
    named = [view.data_info.class_name(int(label)) for label in labels]
    columns: dict[str, Any] = {"image": numbers, "class": named}
    for name, values in region_figures.columns(view, numbers, measured).items():
        columns[name] = ["" if np.isnan(value) else value for value in values]
    about = {"data_set": view.data_info.name, "split": view.split, "model": view.choice.key,
             "L": region_figures.DRAWS, "seed": latent.SEED}  # fmt: skip
    return style.csv_text(columns | {k: [v] * len(numbers) for k, v in about.items()})


def archive(view: View, numbers: NDArray[np.intp]) -> bytes:
    """Images of the split as PNG files in a .zip."""
    images, _ = view.data.split(view.split)
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:  # PNG is compressed already
        for i in map(int, numbers):
            pixels = np.moveaxis(images[i].numpy(), 0, -1)
            picture = io.BytesIO()
            Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(
                picture, "PNG"
            )
            file.writestr(f"{view.split}-{i}.png", picture.getvalue())
    return out.getvalue()
