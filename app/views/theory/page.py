"""Theory page: the argument of a VAE from top to bottom, with the numbers of one image."""

from pathlib import Path

import streamlit as st

from app.figures.pictures import as_picture
from app.parts import charts, missing_data, pickers, widgets
from app.parts.glossary import see
from app.parts.readouts import reading, readouts
from app.services import models
from app.services.images import Images
from app.services.walk_samples import SAMPLES
from app.shell import carried
from app.views.theory import density, flow, gaussian, glossary, gradients, sampling
from app.views.theory.page_titles import PARTS, SECTIONS
from app.views.theory.sheet import Sheet
from app.views.theory.subject import SEED, Subject
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import typeset

LEAD = (
    "How a VAE finds out how probable an image is, from the first integral to the last equation. "
    "Every number belongs to the model and the image that you choose here."
)
WITHOUT_DATA = (
    "Without the data, this page uses images that the model draws itself; all numbers are computed "
    "in the same way."
)
MANY_SAMPLES = 100
"""L at first: enough that the gap is larger than its error."""


def pick() -> Subject:
    """Draw the choice of the model, the image and L."""
    with st.container(key="theory-choice"):
        choice = pickers.pick_model()
        images = Images.at_hand(choice)
        index = pickers.pick_image(images)
        samples = st.select_slider(
            "Samples L",
            SAMPLES,
            value=MANY_SAMPLES,
            key="L",
            bind="query-params",
            persist_state="session",
            help="How many ε the ELBO is averaged over. A larger L makes its errors smaller."
            + see("L", "elbo"),
        )
        carried.keep("L", samples)
        label = f"{images.label(index)}, as the model sees it"
        charts.image(as_picture(images.x(index)[0]), None, 64, alt=label)
    if images.split is None:
        missing_data.panel(choice, WITHOUT_DATA)
    return Subject(images, index, samples)


def summary(subject: Subject) -> None:
    """Draw the five numbers that the argument is about."""
    now, about = subject.walk, subject.about
    with st.container(key="theory-summary"):
        for each in readouts(now, about):
            with st.container(key=f"theory-{each.name}", gap=None):
                st.markdown(f"${each.symbol}$")
                st.markdown(f"**{each.text}**")
    st.caption(reading(about))
    doubt = "" if about.trusted else ": do not trust log p̂(x)"
    protocol = Protocol(
        subject.choice.run.config.dataset,
        subject.images.origin,
        samples=subject.samples,
        importance_samples=about.importance_samples,
        seed=SEED,
    )
    widgets.protocol(
        protocol,
        f"ESS {about.ess:,.0f}",
        f"Pareto k̂ {typeset(about.pareto_k, '.1f')}{doubt}",
        pixels=subject.images.pixels,
    )


def read() -> None:
    """Draw the whole page: first the text, then the numbers in it."""
    sheet = Sheet()
    titles = SECTIONS | PARTS
    glossary.answer(titles)
    subject = pick() if models.first_of(models.choices()) else None
    if subject is None:
        st.info("No model is at hand, so this page has no numbers. Train one to see them.")
    sheet.later(summary)
    with st.container(key="theory-contents"):
        st.markdown(" · ".join(f"[{title}](#{name})" for name, title in SECTIONS.items()))
    for section in (density, gradients, sampling, gaussian, flow):
        section.draw(sheet)
    glossary.table(titles)
    if subject is not None:
        sheet.finish(subject)


st.html(Path(__file__).with_name("style.css"))
widgets.header("Theory", LEAD)
read()
