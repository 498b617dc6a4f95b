"""The ELBO of one image in both forms, its KL, log p̂(x) and the gap, for several pages."""

from typing import TYPE_CHECKING, NamedTuple

from app.figures.style import ELBO, KL, LOG_PX, Quantity
from app.parts.glossary import see
from vae_core.wording.numbers import ERROR_NOT_KNOWN, number

if TYPE_CHECKING:
    from app.services.walk_numbers import Reference, Walk

READING = (
    "A line over a term is its mean over the L draws; ± is one standard error. Both forms estimate "
    "the same ELBO. The ELBO is never above log p(x), but an estimate from a few ε can be. "
    "log p̂(x) is an importance sampling estimate. The last number, log p̂(x) − ELBO (3), estimates "
    "KL(q(z|x) ‖ p(z|x)), the gap: how far q is from the true posterior. "
)
_KL_FORM = r"\text{ELBO} = \overline{\log p(x \mid z)} - \mathrm{KL} \quad (4)"
_KL_EXACT = "The KL to the prior is exact here: both are Gaussian."
_KL_SAMPLED = (
    "A flow has no closed-form KL. It is estimated from the same draws, so (4) equals (3)."
)


class Readout(NamedTuple):
    """A number with its symbol.

    Attributes:
        name: a name for style sheets and tests.
        quantity: the quantity, whose colour is beside the symbol; None for a difference of two.
        symbol: in LaTeX.
        text: the number with its error and unit.
    """

    name: str
    quantity: Quantity | None
    symbol: str
    text: str

    @property
    def coloured(self) -> str:
        """The symbol beside a bar in the colour of its quantity, in LaTeX."""
        if self.quantity is None:
            return self.symbol
        bar = rf"\textcolor{{{self.quantity.colour}}}{{\rule{{0.25em}}{{0.75em}}}}"
        return rf"{bar}\;{self.symbol}"


def readouts(now: "Walk", about: "Reference") -> list[Readout]:
    """Both forms of the ELBO, the KL to the prior, log p̂(x), and the gap."""
    rows = (
        ("joint", ELBO, r"\text{ELBO} = \overline{\log w} \quad (3)", now.joint_form),
        ("kl-form", ELBO, _KL_FORM, now.kl_form),
        ("kl", KL, r"\mathrm{KL}(q(z \mid x) \,\|\, p(z))", about.kl or now.kl),
        ("log-px", LOG_PX, r"\log \hat p(x)", about.log_px),
        ("gap", None, r"\mathrm{KL}(q(z \mid x) \,\|\, p(z \mid x))", about.gap(now.joint_form)),
    )  # fmt: skip
    found = []
    for name, quantity, symbol, value in rows:
        unknown = value is about.log_px and not about.trusted
        text = f"{number(value.mean, value.se)}{f' ({ERROR_NOT_KNOWN})' * unknown}"
        found.append(Readout(name, quantity, symbol, text))
    return found


def reading(about: "Reference") -> str:
    """Explain the numbers of :func:`readouts`."""
    how = _KL_SAMPLED if about.kl is None else _KL_EXACT
    return READING + how + see("elbo", "kl", "log-px-hat", "gap")
