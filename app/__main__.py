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
FROM_ENVIRONMENT = {  # variables that ``streamlit run`` reads and ``st.App`` does not
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
NEEDED_LATER = ("vae_core.training.cost", "torch._dynamo")  # to count a model's operations
LATER = 5.0  # seconds; by then the first page, which needs the same processor, is drawn


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
    change_to_root()
    sys.argv[0] = __file__  # in a wheel, .streamlit/config.toml is beside this file
    app = st.App(
        ROOT / "app" / "main.py",
        routes=[Route(f"/{old}", _redirect) for old in MOVED],
        lifespan=_announce(port),
        on_script_error=errors.report_uncaught,
    )
    app.run(config=settings_for(port))


def settings_for(port: int) -> dict[str, Any]:
    """Return what overrides .streamlit/config.toml: the port, and settings of the environment."""
    given = {option: os.environ.get(name) for name, option in FROM_ENVIRONMENT.items()}
    return {"server.port": port} | {option: value for option, value in given.items() if value}


async def _redirect(request: Request) -> RedirectResponse:
    """Redirect a former address to the present one, with the same query.

    A redirect leaves no entry in the browser's history. A page that switches to another page does,
    and the Back button would lead to the switch again.
    """
    moved = request.url.replace(path=f"/{MOVED[request.url.path.strip('/')]}")
    return RedirectResponse(moved)


def free_port(first: int) -> int | None:
    """Return the first free port of ``TRIES`` ports from ``first`` on; None if all are in use."""
    for port in range(first, min(first + TRIES, 65_536)):
        with socket.socket() as probe:
            # Except on Windows, this option only ignores connections that are closing.
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


def change_to_root() -> None:
    """Change to the project's root, where Streamlit finds .streamlit/config.toml.

    Relative folders in the environment are made absolute first, so they stay the same folders.
    """
    for name in ("VAE_RUNS_DIR", "VAE_CACHE_DIR", "VAE_DATA_DIR"):
        if os.environ.get(name):
            os.environ[name] = str(Path(os.environ[name]).resolve())
    os.chdir(ROOT)


def _warm_up() -> None:
    """Import the modules that pages need, such as PyTorch, before anyone waits for them."""
    for wait, names in ((0.0, NEEDED), (LATER, NEEDED_LATER)):
        time.sleep(wait)
        for name in names:
            importlib.import_module(name)
        # Streamlit collects garbage after every rerun. Imported modules are never garbage: to leave
        # them out saves a tenth of a second each time.
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
