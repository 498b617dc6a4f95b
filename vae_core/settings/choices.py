"""The names of what can be chosen: families, likelihoods, networks, protocols."""

from typing import Literal, get_args

from vae_core.settings.fields import ConfigError

GaussianName = Literal["mean-field", "full"]
FlowName = Literal[
    "planar",
    "radial",
    "iaf",
    "affine-coupling",
    "spline",
    "sylvester-orthogonal",
    "sylvester-householder",
    "sylvester-triangular",
]
PosteriorName = Literal[GaussianName, FlowName]
NetworkName = Literal["mlp", "conv", "linear"]
LikelihoodName = Literal["bernoulli", "continuous-bernoulli", "gaussian"]
GradientName = Literal[
    "pathwise", "sticking-the-landing", "dreg", "score-function", "score-function-baseline"
]
ClassHeadName = Literal["none", "linear", "mlp"]
Binarisation = Literal["dynamic", "threshold", "none"]
ProposalName = Literal["encoder", "refined"]
PrecisionName = Literal["auto", "float32", "bfloat16"]

POSTERIORS: tuple[PosteriorName, ...] = get_args(PosteriorName)
FLOWS: tuple[FlowName, ...] = get_args(FlowName)


def pixels_as(binarisation: Binarisation, likelihood: LikelihoodName) -> str:
    """How pixels enter, in the words of a protocol.

    Raises:
        ConfigError: if the likelihood does not take such pixels.
    """
    if binarisation != "none":
        if likelihood != "bernoulli":
            raise ConfigError(
                "Only the Bernoulli likelihood takes binarised pixels: with another one, set the "
                "binarisation to none."
            )
        return f"{binarisation} binarisation"
    if likelihood == "bernoulli":
        return "grey values, not a likelihood"
    return f"grey values, {likelihood} density"
