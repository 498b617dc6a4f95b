"""Addresses that lead on to a page, asked for as a browser asks for them."""

import asyncio

import pytest
from starlette.applications import Starlette

from app.shell.redirects import redirects

DOCUMENT = "text/html,application/xhtml+xml,*/*;q=0.8"


def answer(path: str, base: str = "", accept: str = DOCUMENT) -> tuple[int, str]:
    """Return the status of the answer, and the address it leads to."""
    sent: list[dict] = []
    scope = {
        "type": "http", "method": "GET", "path": path, "query_string": b"x=1", "root_path": "",
        "headers": [(b"host", b"localhost:8501"), (b"accept", accept.encode())], "scheme": "http",
    }  # fmt: skip

    async def send(message) -> None:
        sent.append(dict(message))

    async def receive() -> dict:
        return {"type": "http.request"}

    app = Starlette(routes=redirects(base))
    app.router.redirect_slashes = False  # Streamlit's own routes take every other address
    asyncio.run(app(scope, receive, send))
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers.get("location", "")


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/latent/2", "/latent-2"),
        ("/a/b/c/", "/a-b-c"),
        ("/latent/", "/latent"),
        ("/a//b", "/a-b"),
        ("/posterior_lab", "/posterior"),
        ("/start", "/"),
    ],
)
@pytest.mark.parametrize("base", ["", "lab", "a/lab"])
def test_an_address_leads_on_with_its_query(path: str, leads_to: str, base: str) -> None:
    under = f"/{base}" if base else ""
    status, location = answer(under + path, base)
    assert (status, location) == (307, f"http://localhost:8501{under}{leads_to}?x=1")


@pytest.mark.parametrize(
    "path", ["/_stcore/health", "/media/table.csv", "/component/a/index.html", "/app/static/a.pdf"]
)
def test_a_file_of_streamlit_does_not(path: str) -> None:
    assert answer(path)[0] == 404  # here nothing else answers


def test_a_script_of_a_page_of_several_parts_does_not() -> None:
    assert answer("/latent/static/index.js", accept="*/*")[0] == 404


@pytest.mark.parametrize("path", ["/", "/latent", "/no-such-page"])
def test_the_address_of_one_part_is_left_to_streamlit(path: str) -> None:
    assert answer(path)[0] == 404
