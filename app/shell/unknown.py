"""Addresses at which there is no page."""

from difflib import get_close_matches
from urllib.parse import unquote, urlsplit

import streamlit as st

from app.shell.errors import plain
from app.shell.navigation import MOVED, PAGES, link


def address() -> str:
    """Return the path in the browser's address bar, without slashes, if no page is there."""
    base = st.get_option("server.baseUrlPath").strip("/")
    found = unquote(urlsplit(st.context.url or "").path).strip("/")
    inside = found.removeprefix(base).strip("/")
    return "" if inside in {"", *PAGES, *MOVED} else inside.replace("/", "-")


def show(wrong: str) -> None:
    """Draw a page that says so, with links to all pages, the likeliest first."""
    st.title("No such page")
    st.write(f"There is no page at **/{plain(wrong)}**. The pages of ELBO Room are:")
    for name in _likeliest_first(wrong):
        link(name)
        st.caption(PAGES[name].help)


def _likeliest_first(wrong: str) -> list[str]:
    titles = {entry.title.lower(): name for name, entry in PAGES.items()}
    names = titles | {name: name for name in PAGES} | MOVED
    meant = [names[each] for each in get_close_matches(wrong.lower(), names)]
    return [*dict.fromkeys([*meant, *PAGES])]
