"""Addresses that lead on to a page: those that pages had, and those of several parts."""

from collections.abc import MutableMapping
from typing import Any

from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Match, Route

from app.shell.navigation import MOVED

_REDIRECTED = MOVED | {"start": ""}  # the first page is at the app's own address
_FIRST_PARTS_OF_STREAMLIT = ("_stcore", "app", "component", "media", "oauth2callback", "static")


def redirects(base: str) -> list[BaseRoute]:
    """Return routes that redirect.

    Args:
        base: the path that all pages are under, without slashes; empty by default.
    """
    under = f"/{base}" if base else ""
    moved = [Route(f"{under}/{old}", _to_the_page) for old in _REDIRECTED]
    return [*moved, _SeveralParts(f"{under}/{{first}}/{{others:path}}", _to_one_part)]


async def _to_the_page(request: Request) -> RedirectResponse:
    """Redirect an address that a page had, or seems to have, to its own, with the same query.

    A redirect leaves no entry in the browser's history. A page that switches to another page does,
    and the Back button would lead to the switch again.
    """
    base, _, old = request.url.path.rstrip("/").rpartition("/")
    return RedirectResponse(request.url.replace(path=f"{base}/{_REDIRECTED[old]}"))


class _SeveralParts(Route):
    """The address of a document, such as /latent/2.

    Streamlit serves its page there, whose scripts have relative addresses and are not found.
    """

    def matches(self, scope: MutableMapping[str, Any]) -> tuple[Match, MutableMapping[str, Any]]:
        match, child = super().matches(scope)
        if match is not Match.FULL:
            return match, child
        request = Request(scope)
        asks_for_a_document = "text/html" in request.headers.get("accept", "")
        is_ours = child["path_params"]["first"] not in _FIRST_PARTS_OF_STREAMLIT
        return (match, child) if asks_for_a_document and is_ours else (Match.NONE, {})


async def _to_one_part(request: Request) -> RedirectResponse:
    """Redirect /a/b to /a-b, where our own page says that there is none, and /a/ to /a."""
    first, others = request.path_params["first"], request.path_params["others"].strip("/")
    base = request.url.path.removesuffix(f"/{first}/{request.path_params['others']}")
    parts = [first, *(part for part in others.split("/") if part)]
    return RedirectResponse(request.url.replace(path=f"{base}/{'-'.join(parts)}"))
