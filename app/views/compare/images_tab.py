"""The Images tab: reconstructions of the same test images, and samples, by each model."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from app.parts import live, pickers, picture_rows
from app.parts.picture_rows import Row
from app.services import comparing, data
from app.services.comparing import Entry
from app.services.images import Images
from app.services.models import Choice, model
from app.services.work import Bench, Task
from app.shell import errors
from vae_core.runs.comparison import Comparison

SHOWN = 8
_FIRST = "first"  # key of the number of the first image, in the address
_SEED = 0
_MOMENT_DRAWS = 64  # of each q(z|x), for the mean of flows
Bytes = NDArray[np.uint8]


@dataclass(frozen=True)
class Pictures:
    """Pictures of one model, each uint8 (N, C, H, W).

    Attributes:
        reconstructions: E[x|z] at the mean of q(z|x), of the test images; empty without the data.
        samples: drawn by the model.
    """

    reconstructions: Bytes
    samples: Bytes


def show(chosen: Sequence[Entry], found: Comparison) -> None:
    """Draw the tab."""
    models = [
        (name, choice)
        for name, entry in zip(found.names, chosen, strict=True)
        if (choice := comparing.choice_of(entry)) is not None
    ]
    if not models:
        st.caption("None of these runs has weights yet.")
        return
    first = _pick_first([choice for _, choice in models])
    tasks = {choice.key: _task(name, choice, first) for name, choice in models}

    def draw(bench: Bench) -> None:
        for rows in _by_dataset(models):
            _dataset(rows, tasks, first, bench)

    live.panel(list(tasks.values()), draw, "compare-images")
    st.caption(
        "Reconstructions are E[x|z] at the mean of q(z|x), of test images as each model sees them "
        f"(grey pixels binarised as in its training, seed {_SEED}). "
        f"Samples are E[x|z] at z ~ p(z), seed {_SEED}."
    )
    if without := len(chosen) - len(models):
        st.caption(f"{without} of the runs {'has' if without == 1 else 'have'} no weights yet.")


def _pick_first(choices: Sequence[Choice]) -> int:
    most = min(choice.run.config.info.sizes["test"] for choice in choices)
    last = max(0, most - SHOWN)
    if st.session_state.get(_FIRST, 0) > last:
        st.session_state[_FIRST] = last
    about = f"The {SHOWN} test images from this one on are shown."
    with st.container(width=260):
        return pickers.index_input(f"First test image, 0 to {last:,}", last + 1, 0, _FIRST, about)


def _by_dataset(models: Sequence[tuple[str, Choice]]) -> list[list[tuple[str, Choice]]]:
    groups: dict[tuple[str, str], list[tuple[str, Choice]]] = {}
    for name, choice in models:
        info = choice.run.config.info
        groups.setdefault((info.name, info.digest), []).append((name, choice))
    return list(groups.values())


def _dataset(
    models: Sequence[tuple[str, Choice]],
    tasks: dict[str, Task[Pictures]],
    first: int,
    bench: Bench,
) -> None:
    """Draw the images of one data set and what each of its models makes of them."""
    choice = models[0][1]
    info, key = choice.run.config.info, f"compare-pictures-{choice.run.config.dataset}"
    st.header(errors.plain(info.title), anchor=False)
    made = [(n, p) for n, c in models if (p := bench.latest(tasks[c.key])) is not None]
    if data.missing(choice):
        st.caption("This data set is not on this computer, so only samples are shown.")
    else:
        images = Images(choice, "test")
        originals, _ = data.dataset(choice.run.config.dataset).split("test")
        texts = [images.label(i) for i in range(first, min(first + SHOWN, len(originals)))]
        rows = [Row("Test images", originals[first : first + SHOWN].numpy(), texts)]
        rows += [
            Row(n, p.reconstructions, [f"{t}, reconstructed by {n}" for t in texts])
            for n, p in made
        ]
        st.markdown("**Reconstructions**")
        picture_rows.show(rows, f"{key}-reconstructions")
    if made:
        st.markdown("**Samples**")
        rows = [Row(n, p.samples, [f"drawn by {n}"] * len(p.samples)) for n, p in made]
        picture_rows.show(rows, f"{key}-samples")


def _task(name: str, choice: Choice, first: int) -> Task[Pictures]:
    """Task that makes the pictures of one model."""
    with_data = not data.missing(choice)
    return Task(
        ("compare-pictures", *choice.weights(), with_data, first, SHOWN),
        f"Drawing pictures: {name}",
        lambda: _made(choice, first, with_data),
        lambda _: 1.0,
    )


def _made(choice: Choice, first: int, with_data: bool) -> Iterator[Pictures]:
    import torch

    vae = model(choice)
    generator = torch.Generator(vae.device).manual_seed(_SEED)
    with torch.no_grad():
        samples = _as_bytes(vae.sample(SHOWN, generator))
        reconstructions = samples[:0]
        if with_data:
            x = Images(choice, "test").x(first, SHOWN).to(vae.device)
            mean, _ = vae.posterior(x).moments(_MOMENT_DRAWS, generator)
            reconstructions = _as_bytes(vae.mean_image(mean))
    yield Pictures(reconstructions, samples)


def _as_bytes(images: object) -> Bytes:
    return (images.clamp(0, 1) * 255).round().byte().cpu().numpy()  # type: ignore[attr-defined]
