"""Links from help texts to the glossary on the page Theory."""

from vae_core.wording.glossary import symbol
from vae_core.wording.lists import listed

_WORDS = {
    "elbo": "ELBO",
    "kl": "KL",
    "log-px-hat": "log p̂(x)",
    "pareto-k": "k̂",
    "ess": "ESS",
    "L": "L",
    "K": "K",
    "d": "d",
    "gap": "the gap",
    "q": "q(z|x)",
    "pzx": "p(z|x)",
    "px": "p(x)",
}


def address(name: str) -> str:
    """Address of a symbol in the glossary, relative to any page.

    Raises:
        InvalidArgument: if the glossary has no such symbol.
    """
    symbol(name)
    return f"theory?symbol={name}"


def see(*names: str) -> str:
    """Write "Glossary: ELBO and KL." with links, for the end of a help text in Markdown."""
    links = (f"[{_WORDS.get(name) or symbol(name).name}]({address(name)})" for name in names)
    return f" Glossary: {listed(list(links))}."
