"""``python -m app``: find a free port, start the app on it and print its address."""

import argparse
import gc
import importlib
import os
import socket
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route

from app.shell import errors, imports
from app.shell.navigation import MOVED

ROOT = Path(__file__).resolve().parent.parent
TRIES = 20
FROM_ENVIRONMENT = {  # which ``streamlit run`` reads and ``st.App`` does not
    "STREAMLIT_SERVER_ADDRESS": "server.address",
    "STREAMLIT_BROWSER_SERVER_ADDRESS": "browser.serverAddress",
}
NEEDED = (
    *imports.LOOKED_UP,  # first, because every page waits for them
    "app.parts.widgets",
    "vae_core.model.vae",
    "vae_core.data.datasets",
    "vae_core.inference.importance",
)
NEEDED_LATER = ("vae_core.training.cost", "torch._dynamo")  # which counting a model's work loads
LATER = 5.0  # seconds; the first page is drawn by then, by the same processor


def main() -> None:
    """Run the app until Ctrl+C."""
    wanted = _arguments().port
    port = free_port(wanted)
    if port is None:
        raise SystemExit(
            f"Ports {wanted} to {wanted + TRIES - 1} are all in use. "
            "Close a program that holds one of them, or choose another: python -m app --port 9000"
        )
    if port != wanted:
        print(f"Port {wanted} is in use; taking {port} instead.", flush=True)
    go_home()
    sys.argv[0] = __file__  # in a wheel, .streamlit/config.toml is beside this file
    app = st.App(
        ROOT / "app" / "main.py",
        routes=[Route(f"/{old}", _redirect) for old in MOVED],
        lifespan=_announce(port),
        on_script_error=errors.report_uncaught,
    )
    app.run(config=settings_for(port))


def settings_for(port: int) -> dict[str, Any]:
    """Name the settings that override .streamlit/config.toml: the port and the environment's."""
    given = {option: os.environ.get(name) for name, option in FROM_ENVIRONMENT.items()}
    return {"server.port": port} | {option: value for option, value in given.items() if value}


async def _redirect(request: Request) -> RedirectResponse:
    """Answer a former address with the present one, and the same query.

    Unlike a page that switches to another one, this leaves no entry in the browser's history which
    would lead on again whoever goes back.
    """
    moved = request.url.replace(path=f"/{MOVED[request.url.path.strip('/')]}")
    return RedirectResponse(moved)


def free_port(first: int) -> int | None:
    """The first of ``TRIES`` ports from ``first`` on that nobody listens on, if there is one."""
    for port in range(first, min(first + TRIES, 65_536)):
        with socket.socket() as probe:
            # Elsewhere than on Windows this only ignores connections that are closing.
            if os.name != "nt":
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("localhost", port))
            except OSError:
                continue
            return port
    return None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app", description="Start ELBO Room.")
    parser.add_argument(
        "--port", type=int, default=8501, help="the port to listen on, or the next free one"
    )
    return parser.parse_args()


def go_home() -> None:
    """Go to the project's root, where Streamlit finds .streamlit/config.toml.

    Folders that were given relative to where the app was started stay the same folders.
    """
    for name in ("VAE_RUNS_DIR", "VAE_CACHE_DIR", "VAE_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).resolve())
    os.chdir(ROOT)


def _warm_up() -> None:
    """Import what pages need, PyTorch above all, while nobody waits for it yet."""
    for wait, names in ((0.0, NEEDED), (LATER, NEEDED_LATER)):
        time.sleep(wait)
        for name in names:
            importlib.import_module(name)
        # After every rerun Streamlit collects garbage, and what was imported is none: a tenth of a
        # second saved each time.
        gc.collect()
        gc.freeze()


def _announce(port: int):
    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        print(f"\n  ELBO Room is at http://localhost:{port}\n  Ctrl+C ends it.\n", flush=True)
        threading.Thread(target=_warm_up, daemon=True).start()
        yield

    return lifespan


if __name__ == "__main__":
    main()
