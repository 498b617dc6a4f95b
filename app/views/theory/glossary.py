"""The glossary of the Theory page, and the box about one symbol that a link asks for."""

from collections.abc import Mapping

import streamlit as st

from app.shell import errors
from app.views.theory.sheet import heading
from vae_core.wording.glossary import GLOSSARY, Symbol

PARAMETER = "symbol"
"""Name of the query parameter that holds a symbol."""
_FORMER = {"L-matrix": "C"}  # names of symbols in old links


def answer(sections: Mapping[str, str]) -> None:
    """Explain the symbol that the address asks for, at the top of the page.

    Args:
        sections: titles of the sections by their anchors.
    """
    asked = st.query_params.get(PARAMETER)
    if not asked:
        return
    asked = _FORMER.get(asked, asked)
    if asked not in GLOSSARY:
        st.caption(
            f":orange[The glossary has no symbol called {errors.plain(asked)}.] "
            "All symbols are in the [glossary](#glossary)."
        )
        return
    found = GLOSSARY[asked]
    with st.container(key="theory-answer", border=True, gap="xsmall"):
        st.markdown(f"**${found.latex}$ — {found.name}.** {_escaped(found.meaning)}")
        st.caption(
            f"Unit: {found.unit}. Defined in [{sections[found.section]}](#{found.section}). "
            "All symbols: [glossary](#glossary)."
        )


def table(sections: Mapping[str, str]) -> None:
    """Draw all symbols, in the order in which the page defines them."""
    heading("", "Glossary", "glossary")
    lines = ["| symbol | name | meaning | unit | section |", "|:--|:--|:--|:--|:--|"]
    lines += [_row(each, sections[each.section]) for each in GLOSSARY.values()]
    with st.container(key="theory-glossary"):
        st.markdown("\n".join(lines))


def _row(symbol: Symbol, section: str) -> str:
    number = section.split(" ", 1)[0]
    where = f"[{number}](#{symbol.section})"
    meaning = _escaped(symbol.meaning)
    return f"| ${symbol.latex}$ | {symbol.name} | {meaning} | {symbol.unit} | {where} |"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")
