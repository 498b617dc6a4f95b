"""The settings of a model: what is needed to build it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from vae_core.settings.choices import (
    FLOWS,
    GAUSSIANS,
    LIKELIHOODS,
    MIXTURES,
    POSTERIORS,
    PRIORS,
    WITH_NETWORKS,
    ClassHeadName,
    ConditioningName,
    LikelihoodName,
    NetworkName,
    PosteriorName,
    PriorName,
    titles_of,
)
from vae_core.settings.data_sets import ImageShape
from vae_core.settings.fields import (
    Checked,
    ConfigError,
    checked_classes,
    checked_shape,
    setting,
    settings_of,
)

_NOT_OF_THE_DECODER = frozenset({
    "posterior", "flow_steps", "flow_hidden_size", "flow_base", "prior", "class_head",
})  # fmt: skip


@dataclass(frozen=True)
class ModelConfig(Checked):
    """The architecture of a VAE: enough to build it."""

    posterior: PosteriorName = setting(
        "full",
        "Posterior q(z|x)",
        "The family of q(z|x): richer families can follow the true posterior more closely.",
        titles=partial(titles_of, POSTERIORS),
    )
    flow_steps: int = setting(
        4,
        "Flow steps T",
        "Number of steps of the flow; more steps give richer shapes and slower training.",
        bounds=(1, 64),
        only_if=("posterior", FLOWS),
    )
    latent_size: int = setting(
        2,
        "Latent size d",
        "How many numbers describe an image; 2 can be drawn directly, more reconstruct better.",
        bounds=(1, 512),
    )
    network: NetworkName = setting(
        "mlp",
        "Network",
        "The encoder and the decoder: fully connected layers (fast) or convolutions (better). "
        "corrected-linear starts as the principal components of the training images, which "
        "convolutions correct: good for photographs. linear with the Gaussian likelihood is "
        "probabilistic PCA.",
        titles={
            "mlp": "Fully connected (MLP)",
            "conv": "Residual convolutional",
            "corrected-linear": "Linear, corrected by convolutions",
            "linear": "Linear",
        },
    )
    hidden_size: int = setting(
        200,
        "Hidden units",
        "Width of each hidden layer of the MLP; wider layers fit more and train slower.",
        bounds=(1, 8192),
        advanced=True,
        only_if=("network", ("mlp",)),
    )
    hidden_layers: int = setting(
        2,
        "Hidden layers",
        "Number of hidden layers of the MLP encoder, and of the decoder.",
        bounds=(1, 16),
        advanced=True,
        only_if=("network", ("mlp",)),
    )
    channels: int = setting(
        16,
        "Channels",
        "Channels of the convolutional net at full resolution; doubled at each halving.",
        bounds=(1, 512),
        advanced=True,
        only_if=("network", ("conv", "corrected-linear")),
    )
    flow_hidden_size: int = setting(
        128,
        "Hidden units of a flow step",
        "Width of the network inside each autoregressive or coupling step.",
        bounds=(1, 4096),
        advanced=True,
        only_if=("posterior", WITH_NETWORKS),
    )
    flow_base: PosteriorName = setting(
        "mean-field",
        "Base of the flow",
        "The Gaussian that the flow transforms: with independent or with correlated dimensions.",
        advanced=True,
        only_if=("posterior", FLOWS),
        titles=lambda: {name: POSTERIORS[name].title for name in GAUSSIANS},
    )
    likelihood: LikelihoodName = setting(
        "bernoulli",
        "Likelihood p(x|z)",
        "The distribution of a pixel: 0 or 1, one of the 256 values of an 8-bit image, or a grey "
        "value with a density.",
        advanced=True,
        titles=partial(titles_of, LIKELIHOODS),
    )
    mixture_components: int = setting(
        5,
        "Components of the mixture",
        "Logistic distributions that each pixel's distribution is a mixture of; more fit finer "
        "shapes and train slower.",
        bounds=(1, 30),
        advanced=True,
        only_if=("likelihood", MIXTURES),
    )
    prior: PriorName = setting(
        "standard-normal",
        "Prior p(z)",
        "How probable a latent z is before any image is seen.",
        advanced=True,
        titles=partial(titles_of, PRIORS),
    )
    class_head: ClassHeadName = setting(
        "none",
        "Class head p(y|z)",
        "The model also learns the class of an image from z, so that it can give p(y|x); the score "
        "is still log p(x).",
        advanced=True,
        titles={
            "none": "None: classes are not used",
            "linear": "Linear: softmax of z",
            "mlp": "One hidden layer",
        },
    )
    conditioning: ConditioningName = setting(
        "none",
        "Conditioning",
        "class: encoder and decoder are also given the class y, so the model is p(x|y). It "
        "classifies by p(y|x) ∝ p(y) p(x|y).",
        advanced=True,
        titles={"none": "None: p(x)", "class": "On the class: p(x|y)"},
    )
    image_shape: ImageShape = (1, 28, 28)
    classes: int = 10

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "classes", checked_classes(self.classes))
        object.__setattr__(self, "image_shape", checked_shape(self.image_shape))
        if self.is_conditional and self.class_head != "none":
            raise ConfigError(
                "A model of p(x|y) is given the class, so it has no class head. Choose one of both."
            )
        if self.is_conditional and self.network == "corrected-linear":
            raise ConfigError(
                "Conditioning on the class needs the network mlp, conv or linear, because "
                "corrected-linear starts from components of all classes."
            )

    @property
    def is_conditional(self) -> bool:
        """Whether the model is p(x|y): encoder and decoder are given the class."""
        return self.conditioning == "class"

    def architecture(self, *, decoder_only: bool = False) -> dict[str, Any]:
        """Settings that decide which weights fit, without those that have no effect.

        Args:
            decoder_only: only those of the decoder and the likelihood.
        """
        chosen = {
            each.name: getattr(self, each.name)
            for each in settings_of(type(self))
            if each.only_if is None or getattr(self, each.only_if[0]) in each.only_if[1]
            if not (decoder_only and each.name in _NOT_OF_THE_DECODER)
        }
        if self.is_conditional or (not decoder_only and self.class_head != "none"):
            chosen["classes"] = self.classes
        return {"image_shape": self.image_shape, **chosen}

    @property
    def pixels(self) -> int:
        """D, the number of values in an image."""
        channels, height, width = self.image_shape
        return channels * height * width
