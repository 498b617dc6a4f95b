"""Start page: one image goes through a VAE, with every number live (the note's Figure 1)."""

from typing import TYPE_CHECKING

import streamlit as st

from app.parts import missing_data, pickers, widgets
from app.services import showcase
from app.services.images import Images
from app.services.models import Choice
from app.services.walk import reference_of, walk_of
from app.shell import navigation
from app.views.start import diagram as diagram_parts
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import typeset

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference

LEAD = (
    "A variational autoencoder (VAE) learns to describe an image x by a few numbers z and to "
    "redraw the image from them. This also tells how probable the image is. Below, an image that "
    "the model was not trained on goes through it step by step, and every number is computed live."
)
WITHOUT_DATA = (
    "Without the data, this page uses images that the model draws itself; all numbers are computed "
    "in the same way. With the data, it uses test images, which the model was not trained on."
)


@st.fragment
def walk_through() -> None:
    """Draw the whole page: the choices, the diagram, the terms and the estimates."""
    with st.container(key="walk-choice", gap=None):
        choice = pickers.pick_model(first_of=showcase.first_of)
        images = Images.at_hand(choice)
        index = pickers.pick_image(images)
        diagram_parts.image_strip(images, index)
    if images.split is None:
        missing_data.panel(choice, WITHOUT_DATA)
    diagram, terms, elbo = (
        st.container(key=f"walk{part}", gap=None) for part in ("", "-terms", "-elbo")
    )
    with diagram:
        with diagram_parts.stage("x"):
            diagram_parts.image(images, index)
        diagram_parts.encoder()
        gaussian = diagram_parts.stage("said")
        diagram_parts.meeting()
        with diagram_parts.stage("noise"):
            diagram_parts.noise_heading()
            noise = st.container(gap=None)
            seed = diagram_parts.choose_noise()
    with elbo, st.container(key="walk-readouts", gap="xsmall"):
        samples = diagram_parts.choose_samples()
        readouts = st.container(gap=None)

    config = choice.run.config.model
    about, now = reference_of(images, index), walk_of(images, index, seed, samples)
    with gaussian:
        diagram_parts.encoded(about)
    with noise:
        diagram_parts.noise(now, about)
    with diagram:
        if len(now.log_abs_dets):
            diagram_parts.arrow("flow")
            with diagram_parts.stage("flow"):
                diagram_parts.flow(now, about)
        diagram_parts.arrow("latent")
        with diagram_parts.stage("latent"):
            diagram_parts.latent(now, about)
        diagram_parts.decoder()
        with diagram_parts.stage("p"):
            diagram_parts.decoded(now.p, config.likelihood)
    with terms:
        diagram_parts.terms(now, config)
    with readouts:
        diagram_parts.readouts(now, about)
    with elbo:
        diagram_parts.estimates(now, about)
    diagram_parts.split(now, about)
    show_protocol(images, about, seed, samples)
    show_next_pages(choice, images, index)
    widgets.code(diagram_parts.code_lines(images, index, seed, samples))


def show_protocol(images: Images, about: "Reference", seed: int, samples: int) -> None:
    """Show how the numbers were measured, and whether they can be trusted."""
    doubt = "" if about.trusted else ": do not trust log p̂(x)"
    protocol = Protocol(
        images.choice.run.config.dataset,
        images.origin,
        samples=samples,
        importance_samples=about.importance_samples,
        seed=seed,
    )
    trust = f"Pareto k̂ {typeset(about.pareto_k, '.1f')}{doubt}"
    widgets.protocol(protocol, f"ESS {about.ess:,.0f}", trust, pixels=images.pixels)


def show_next_pages(choice: Choice, images: Images, index: int) -> None:
    """Show links to other pages. Those to the labs lead to the same image."""
    lab = images.links(index)
    with st.container(key="walk-foot", horizontal=True):
        navigation.link("posterior", "See its true posterior", model=choice.key, **lab["posterior"])
        navigation.link("gradients", "Measure its gradient", model=choice.key, **lab["gradients"])
        navigation.link("train", "Train your own model")
        navigation.link("latent", "See the whole latent space", model=choice.key)
        navigation.link("score", "Score your own images", model=choice.key)


diagram_parts.apply_style()
widgets.header(navigation.PAGES["start"].heading, LEAD)
walk_through()
