"""Start: one image walks through a VAE, with every number live (the note's Figure 1)."""

from typing import TYPE_CHECKING

import streamlit as st

from app.parts import missing_data, pickers, widgets
from app.services import models
from app.services.images import Images
from app.services.models import Choice
from app.shell import navigation
from app.views.start import diagram as diagram_
from vae_core.settings.protocol import Protocol
from vae_core.wording.numbers import typeset

if TYPE_CHECKING:
    from app.views.start.numbers import Reference, Walk

LEAD = (
    "A variational autoencoder (VAE) learns to describe an image x by a few numbers z, to draw it "
    "again from them, and so to say how probable it is. Below, an image the model never trained on "
    "walks through it, and every number is computed as you watch."
)
WITHOUT_DATA = (
    "Without it, images walk through that the model draws itself: every number is as real. With "
    "it, test images do, which the model never trained on."
)


@st.fragment
def walk_through() -> None:
    """The whole page: what is chosen, the diagram, the terms, the estimates."""
    with st.container(key="walk-choice", gap=None):
        choice = pickers.pick_model()
        images = Images.at_hand(choice)
        index = pickers.pick_image(images)
        diagram_.image_strip(images, index)
    if images.split is None:
        missing_data.panel(choice, WITHOUT_DATA)
    diagram, terms, elbo = (
        st.container(key=f"walk{part}", gap=None) for part in ("", "-terms", "-elbo")
    )
    with diagram:
        with diagram_.stage("x"):
            diagram_.image(images, index)
        diagram_.encoder()
        gaussian = diagram_.stage("said")
        diagram_.meeting()
        with diagram_.stage("noise"):
            diagram_.noise_heading()
            noise = st.container(gap=None)
            seed = diagram_.choose_noise()
    with elbo, st.container(key="walk-readouts", gap="xsmall"):
        samples = diagram_.choose_samples()
        readouts = st.container(gap=None)

    config = choice.run.config.model
    about, now = reference_of(images, index), walk_of(images, index, seed, samples)
    with gaussian:
        diagram_.encoded(about)
    with noise:
        diagram_.noise(now, about)
    with diagram:
        if len(now.log_abs_dets):
            diagram_.arrow("flow")
            with diagram_.stage("flow"):
                diagram_.flow(now, about)
        diagram_.arrow("latent")
        with diagram_.stage("latent"):
            diagram_.latent(now, about)
        diagram_.decoder()
        with diagram_.stage("p"):
            diagram_.decoded(now.p, config.likelihood)
    with terms:
        diagram_.terms(now, config)
    with readouts:
        diagram_.readouts(now, about)
    with elbo:
        diagram_.estimates(now, about)
    show_protocol(images, about, seed, samples)
    show_ways_on(choice)
    widgets.code(diagram_.code_lines(images, index, seed, samples))


def show_protocol(images: Images, about: "Reference", seed: int, samples: int) -> None:
    """How the numbers were measured, and whether they can be trusted."""
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


def show_ways_on(choice: Choice) -> None:
    """Where to go from here."""
    with st.container(key="walk-foot", horizontal=True):
        navigation.link("train", "Train a model of your own")
        navigation.link("latent", "See the whole latent space", model=choice.key)
        navigation.link("score", "Score images of yours", model=choice.key)


@st.cache_resource(
    max_entries=64, show_spinner="Estimating log p(x)", hash_funcs={Images: Images.identity}
)
def reference_of(images: Images, index: int) -> "Reference":
    """What is known of an image under a model, whatever noise is drawn."""
    from app.views.start import numbers

    return numbers.reference(models.model(images.choice), images.x(index))


@st.cache_resource(max_entries=64, show_spinner=False, hash_funcs={Images: Images.identity})
def walk_of(images: Images, index: int, seed: int, samples: int) -> "Walk":
    """The draws, and what becomes of each."""
    from app.views.start import numbers

    return numbers.walk(models.model(images.choice), images.x(index), seed, samples)


diagram_.look()
widgets.header("Start", LEAD)
walk_through()
