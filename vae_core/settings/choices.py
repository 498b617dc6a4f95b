"""The tables of priors, likelihoods and posterior families: names, titles and classes.

To add a prior, a likelihood or a posterior family, write its class and add an entry here. Forms,
command line, pages and the model itself read these tables. Classes are given as text, because
listing the choices must not load PyTorch.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from vae_core.settings.fields import ConfigError

PriorName = str
PosteriorName = str
LikelihoodName = str
NetworkName = Literal["mlp", "conv", "corrected-linear", "linear"]
GradientName = Literal[
    "pathwise", "sticking-the-landing", "dreg", "score-function", "score-function-baseline"
]
ClassHeadName = Literal["none", "linear", "mlp"]
ConditioningName = Literal["none", "class"]
Augmentation = Literal["none", "flip", "shift", "flip-shift"]
"""How training images are changed by chance, a batch at a time."""
AUGMENTED: Mapping[Augmentation, str] = {
    "none": "",
    "flip": "mirrored by chance",
    "shift": "shifted by chance",
    "flip-shift": "mirrored and shifted by chance",
}
"""What happened to training images, for sentences."""
Binarisation = Literal["dynamic", "threshold", "none"]
Frames = Literal["first", "all"]
"""Which frames of a file are images: the first one alone, or all."""
ProposalName = Literal["encoder", "refined"]
WeightsName = Literal["kept", "last"]
PrecisionName = Literal["auto", "float32", "bfloat16"]


@dataclass(frozen=True)
class PriorChoice:
    """A prior p(z).

    Attributes:
        title: name in lists.
        builder: a class of ``vae_core.model``, called with the latent size d.
        formula: log p(z) in LaTeX.
        about: one or two sentences for a reader who sees log p(z).
    """

    title: str
    builder: str
    formula: str
    about: str


@dataclass(frozen=True)
class LikelihoodChoice:
    """A likelihood p(x|z).

    Attributes:
        title: name in lists.
        builder: a class of ``vae_core.model.likelihoods``, built by its method ``of``.
        pixels: the kind of pixel values: bits, real grey values, or the 256 levels.
        unbinarised: the phrase for grey values under this likelihood in a protocol.
        answer: the decoder's output for each pixel, in words.
        caption: caption of the picture of that output.
        formula: log p(x|z) in LaTeX.
    """

    title: str
    builder: str
    pixels: Literal["binary", "grey", "levels"]
    unbinarised: str
    answer: str
    caption: str
    formula: str


@dataclass(frozen=True)
class PosteriorChoice:
    """A family of q(z|x).

    Attributes:
        title: name in lists.
        short: shorter name, if space is small.
        builder: for a flow, the class of its steps, called with a
            :class:`~vae_core.model.flows.base.StepShape`; otherwise a class or function, called
            with the number of features and the :class:`~vae_core.settings.config.ModelConfig`.
        is_flow: whether the family transforms a Gaussian base in steps.
        has_networks: whether each step has its own network, whose width can be chosen.
    """

    title: str
    short: str
    builder: str
    is_flow: bool = True
    has_networks: bool = False


PRIORS: Mapping[PriorName, PriorChoice] = {
    "standard-normal": PriorChoice(
        "Standard normal N(0, I)",
        "vae_core.model.priors:StandardNormal",
        r"-\sum_i \tfrac12(z_i^2 + \log 2\pi)",
        "How probable z is before an image is seen. The prior is a standard normal.",
    ),
}

LIKELIHOODS: Mapping[LikelihoodName, LikelihoodChoice] = {
    "bernoulli": LikelihoodChoice(
        "Bernoulli: pixels 0 or 1",
        "vae_core.model.likelihoods.bernoulli:Bernoulli",
        "binary",
        "grey values, not a likelihood",
        "the probability of every pixel to be on",
        "pixel probabilities",
        r"\sum_i x_i \log p_i + (1-x_i) \log(1-p_i)",
    ),
    "continuous-bernoulli": LikelihoodChoice(
        "Continuous Bernoulli: grey in [0, 1]",
        "vae_core.model.likelihoods.continuous_bernoulli:ContinuousBernoulli",
        "grey",
        "grey values, continuous-bernoulli density",
        "the distribution of every pixel's grey, whose mean is shown",
        "expected grey",
        r"\sum_i x_i l_i - \log\bigl((e^{l_i} - 1) / l_i\bigr)",
    ),
    "gaussian": LikelihoodChoice(
        "Gaussian: grey, one learned s",
        "vae_core.model.likelihoods.gaussian:Gaussian",
        "grey",
        "grey values, gaussian density",
        "the expected grey of every pixel",
        "expected grey",
        r"-\sum_i \tfrac12\bigl((x_i - p_i)^2 / s^2 + \log 2\pi s^2\bigr)",
    ),
    "discretised-logistic": LikelihoodChoice(
        "Discretised logistic: 8-bit values",
        "vae_core.model.likelihoods.discretised_logistic:DiscretisedLogistic",
        "levels",
        "8-bit values, discretised-logistic probability",
        "the distribution of every pixel's value, whose mean is shown",
        "expected value",
        r"\sum_i \log\bigl(\sigma(b_i) - \sigma(a_i)\bigr)",
    ),
    "discretised-logistic-mixture": LikelihoodChoice(
        "Mixture of discretised logistics: 8-bit values, colour",
        "vae_core.model.likelihoods.logistic_mixture:DiscretisedLogisticMixture",
        "levels",
        "8-bit values, discretised-logistic-mixture probability",
        "the distribution of every pixel's value, whose mean is shown",
        "expected value",
        r"\sum_i \log \sum_k \pi_{ik} \prod_c \bigl(\sigma(b_{ikc}) - \sigma(a_{ikc})\bigr)",
    ),
}

_FLOWS = "vae_core.model.flows"
POSTERIORS: Mapping[PosteriorName, PosteriorChoice] = {
    "mean-field": PosteriorChoice(
        "Mean-field Gaussian", "Mean-field", "vae_core.model.posteriors:MeanField", is_flow=False
    ),
    "full": PosteriorChoice(
        "Full-covariance Gaussian",
        "Full covariance",
        "vae_core.model.posteriors:full_covariance",
        is_flow=False,
    ),
    "planar": PosteriorChoice("Planar flow", "Planar", f"{_FLOWS}.planar:PlanarStep"),
    "radial": PosteriorChoice("Radial flow", "Radial", f"{_FLOWS}.radial:RadialStep"),
    "iaf": PosteriorChoice(
        "Inverse autoregressive flow",
        "IAF",
        f"{_FLOWS}.autoregressive:InverseAutoregressiveStep",
        has_networks=True,
    ),
    "affine-coupling": PosteriorChoice(
        "Affine coupling flow (RealNVP)",
        "RealNVP",
        f"{_FLOWS}.coupling:AffineCouplingStep",
        has_networks=True,
    ),
    "spline": PosteriorChoice(
        "Spline coupling flow",
        "Spline",
        f"{_FLOWS}.coupling:SplineCouplingStep",
        has_networks=True,
    ),
    "sylvester-orthogonal": PosteriorChoice(
        "Sylvester flow, orthogonal",
        "Sylvester, orthogonal",
        f"{_FLOWS}.sylvester:OrthogonalSylvesterStep",
    ),
    "sylvester-householder": PosteriorChoice(
        "Sylvester flow, Householder",
        "Sylvester, Householder",
        f"{_FLOWS}.sylvester:HouseholderSylvesterStep",
    ),
    "sylvester-triangular": PosteriorChoice(
        "Sylvester flow, triangular",
        "Sylvester, triangular",
        f"{_FLOWS}.sylvester:TriangularSylvesterStep",
    ),
}
FLOWS: tuple[PosteriorName, ...] = tuple(n for n, each in POSTERIORS.items() if each.is_flow)
GAUSSIANS: tuple[PosteriorName, ...] = tuple(n for n in POSTERIORS if n not in FLOWS)
WITH_NETWORKS: tuple[PosteriorName, ...] = tuple(
    n for n, each in POSTERIORS.items() if each.has_networks
)
BINARY: tuple[LikelihoodName, ...] = tuple(
    n for n, each in LIKELIHOODS.items() if each.pixels == "binary"
)
"""Likelihoods of bits, which need binarised pixels."""
MIXTURES: tuple[LikelihoodName, ...] = ("discretised-logistic-mixture",)
"""Likelihoods whose number of components can be chosen."""


def titles_of(
    table: Mapping[str, PriorChoice | LikelihoodChoice | PosteriorChoice],
) -> dict[str, str]:
    """Return the titles of a table of choices, by name."""
    return {name: each.title for name, each in table.items()}


def is_likelihood(binarisation: Binarisation, likelihood: LikelihoodName) -> bool:
    """Whether log p(x) of such pixels is a likelihood; not so for grey pixels and a Bernoulli."""
    return binarisation != "none" or likelihood not in BINARY


def is_density(likelihood: LikelihoodName) -> bool:
    """Whether p(x) is a density of grey values, and not a probability.

    Images of 8 bits are then not modelled as what they are: pixels that have one value in every
    image give ever more nats, so the number has no meaning across models, and no bits/dim.
    """
    return LIKELIHOODS[likelihood].pixels == "grey"


def is_of_levels(likelihood: LikelihoodName) -> bool:
    """Whether p(x) is the probability of 8-bit values, the one that published tables state."""
    return LIKELIHOODS[likelihood].pixels == "levels"


COMPARABLE = "comparable with published tables"
"""Said of bits per dimension only where it is true."""
DENSITY = "a density of grey values: compare it within this model only"
"""Shown in the place of bits per dimension if p(x) is a density."""


def pixels_as(binarisation: Binarisation, likelihood: LikelihoodName) -> str:
    """Describe the pixels that enter the model, in the words of a protocol.

    Raises:
        ConfigError: if the likelihood does not accept such pixels.
    """
    if binarisation == "none":
        return LIKELIHOODS[likelihood].unbinarised
    if likelihood not in BINARY:
        raise ConfigError(
            f"The {likelihood} likelihood does not accept binarised pixels: set the "
            "binarisation to none."
        )
    return f"{binarisation} binarisation"
