"""The symbols of a VAE: name, meaning and unit of each, for the page Theory and for help texts."""

from collections.abc import Mapping
from dataclasses import dataclass

from vae_core.basics.errors import InvalidArgument


@dataclass(frozen=True)
class Symbol:
    r"""A symbol, or a name that is used like one.

    Attributes:
        latex: the symbol in LaTeX, without dollar signs. A bar is written ``\mid``.
        name: its name in words.
        meaning: one or two sentences.
        unit: unit of the value, or what kind of object it is.
        section: the section of the page Theory that defines it, by the name of its anchor.
    """

    latex: str
    name: str
    meaning: str
    unit: str
    section: str


GLOSSARY: Mapping[str, Symbol] = {
    "x": Symbol(
        "x",
        "image",
        "All pixels of one image, as the model sees them.",
        "D pixels",
        "questions",
    ),
    "D": Symbol(
        "D",
        "number of pixels",
        "A colour image has three values for each pixel, and D counts them all.",
        "count",
        "questions",
    ),
    "y": Symbol(
        "y",
        "class",
        "What the image shows, for example which digit.",
        "class",
        "questions",
    ),
    "px": Symbol(
        "p(x)",
        "density of x",
        "How probable the model finds the image. It is an integral over all z.",
        "log in nats",
        "density",
    ),
    "pyx": Symbol(
        r"p(y \mid x)",
        "class probabilities",
        "The probability of each class, given the image.",
        "0 to 1",
        "questions",
    ),
    "z": Symbol(
        "z",
        "latent",
        "A short list of numbers that describes the image. It is not observed.",
        "d numbers",
        "density",
    ),
    "d": Symbol(
        "d",
        "latent size",
        "How many numbers z has.",
        "count",
        "density",
    ),
    "pz": Symbol(
        "p(z)",
        "prior",
        "Which z are common before any image is seen. Usually a standard normal.",
        "log in nats",
        "density",
    ),
    "theta": Symbol(
        r"\theta",
        "weights of the decoder",
        "Training changes them.",
        "numbers",
        "density",
    ),
    "pxz": Symbol(
        r"p_\theta(x \mid z)",
        "likelihood, decoder",
        "How probable the image is if its latent is z. The decoder computes it.",
        "log in nats",
        "density",
    ),
    "pxz-joint": Symbol(
        "p(x, z)",
        "joint density",
        "The product of prior and likelihood: how probable x and z are together.",
        "log in nats",
        "density",
    ),
    "pzx": Symbol(
        r"p(z \mid x)",
        "true posterior",
        "Which z can have produced this image. It needs p(x), so it has no formula.",
        "log in nats",
        "density",
    ),
    "phi": Symbol(
        r"\phi",
        "weights of the encoder",
        "Training changes them.",
        "numbers",
        "density",
    ),
    "q": Symbol(
        r"q_\phi(z \mid x)",
        "approximate posterior, encoder",
        "The distribution of z that the encoder answers with. It stands in for the true posterior.",
        "log in nats",
        "density",
    ),
    "w": Symbol(
        "w",
        "importance weight",
        "p(x, z) divided by q(z|x), at a draw z of q. If q were the true posterior, every w "
        "would be p(x).",
        "log in nats",
        "weights",
    ),
    "K": Symbol(
        "K",
        "importance samples",
        "How many draws of z log p̂(x) uses. A larger K brings it closer to log p(x).",
        "count",
        "weights",
    ),
    "log-px-hat": Symbol(
        r"\log \hat p(x)",
        "estimate of log p(x)",
        "The logarithm of the mean of K importance weights. On average it is below log p(x).",
        "nats",
        "weights",
    ),
    "ess": Symbol(
        r"\mathrm{ESS}",
        "effective sample size",
        "How many draws of the true posterior the K weighted draws are worth. Below 30, do "
        "not trust log p̂(x).",
        "1 to K",
        "weights",
    ),
    "pareto-k": Symbol(
        r"\hat k",
        "Pareto k̂",
        "How heavy the tail of the weights is. Above min(1 − 1/log₁₀ K, 0.7), do not trust "
        "log p̂(x).",
        "number",
        "weights",
    ),
    "se": Symbol(
        r"\pm",
        "standard error",
        "How far an estimate typically is from its mean, because its draws are random.",
        "as the value",
        "samples",
    ),
    "kl": Symbol(
        r"\mathrm{KL}(q \,\Vert\, p)",
        "Kullback–Leibler divergence",
        "How far q is from p. It is never negative, and 0 only if both are equal. If "
        "nothing else is said, it is the one from q(z|x) to the prior.",
        "nats",
        "bound",
    ),
    "elbo": Symbol(
        r"\mathcal L,\ \mathrm{ELBO}",
        "evidence lower bound",
        "The mean of log w over draws of q. It is log p(x) minus the gap, so it is never "
        "above log p(x). Training raises it.",
        "nats",
        "bound",
    ),
    "gap": Symbol(
        r"\log p(x) - \mathrm{ELBO}",
        "gap",
        "What the bound misses: KL(q(z|x) ‖ p(z|x)), how far q is from the true posterior.",
        "nats",
        "bound",
    ),
    "q-star": Symbol(
        "q^*",
        "best q",
        "The q(z|x) of the family that gives this one image the highest ELBO.",
        "log in nats",
        "bound",
    ),
    "E": Symbol(
        r"\mathbb E_q",
        "expectation",
        "The mean over infinitely many draws of q.",
        "as the value",
        "bound",
    ),
    "nabla": Symbol(
        r"\nabla_\phi",
        "gradient",
        "The derivatives by all weights φ. Training takes a step along the gradient of the ELBO.",
        "nats per weight",
        "gradient",
    ),
    "score-function": Symbol(
        r"\nabla_\phi \log q_\phi(z \mid x)",
        "score function",
        "How log q at a fixed z changes with the weights. Its mean over draws of q is 0.",
        "nats per weight",
        "gradient",
    ),
    "epsilon": Symbol(
        r"\epsilon",
        "noise",
        "Random numbers from a standard normal. They are the only random step from x to z.",
        "d numbers",
        "reparameterisation",
    ),
    "g": Symbol(
        r"g_\phi(\epsilon, x)",
        "reparameterisation",
        "The map from noise to a draw of q(z|x).",
        "d numbers",
        "reparameterisation",
    ),
    "L": Symbol(
        "L",
        "samples",
        "How many ε the ELBO is averaged over.",
        "count",
        "samples",
    ),
    "elbo-hat": Symbol(
        r"\tilde{\mathcal L}",
        "estimate of the ELBO",
        "The mean of log w over L draws.",
        "nats",
        "samples",
    ),
    "mu": Symbol(
        r"\mu",
        "mean of q",
        "Where the encoder places the image in the latent space.",
        "d numbers",
        "assumptions",
    ),
    "sigma": Symbol(
        r"\sigma",
        "spread of q",
        "How uncertain each latent number is. The network gives log σ, so σ is positive.",
        "d numbers",
        "assumptions",
    ),
    "C": Symbol(
        "C",
        "Cholesky factor",
        "A lower triangular matrix with σ on its diagonal: z = μ + Cε.",
        "d × d numbers",
        "assumptions",
    ),
    "Sigma": Symbol(
        r"\Sigma = CC^\top",
        "covariance of q",
        "How the latent numbers vary together.",
        "d × d numbers",
        "assumptions",
    ),
    "log-det": Symbol(
        r"\log\lvert\det\tfrac{\partial z}{\partial\epsilon}\rvert",
        "log Jacobian",
        "How much the map from ε to z stretches space at this point.",
        "nats",
        "assumptions",
    ),
    "f": Symbol(
        "f_t",
        "flow step",
        "An invertible map from one set of d numbers to another.",
        "d numbers",
        "flow",
    ),
    "T": Symbol(
        "T",
        "number of flow steps",
        "With T = 0, q is a Gaussian.",
        "count",
        "flow",
    ),
    "nats": Symbol(
        r"\mathrm{nats}",
        "nats",
        "The unit of natural logarithms. One nat more means 2.72 times as probable; 1 nat is "
        "1.44 bits.",
        "unit",
        "density",
    ),
    "bits-per-dim": Symbol(
        r"-\log p(x) / (D \log 2)",
        "bits per dimension",
        "log p(x) in bits and for each pixel. Lower is better.",
        "bits",
        "questions",
    ),
}
"""All symbols by name, in the order in which the page Theory introduces them."""


def symbol(name: str) -> Symbol:
    """Return a symbol of the glossary.

    Raises:
        InvalidArgument: if the glossary has no such symbol.
    """
    if name not in GLOSSARY:
        raise InvalidArgument(f"The glossary has no symbol called {name!r}.")
    return GLOSSARY[name]
