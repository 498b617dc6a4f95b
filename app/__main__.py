"""``python -m app``: find a free port, start the app on it and print its address."""

import argparse
import gc
import importlib
import os
import sys
import threading
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import streamlit as st

from app.shell import errors, imports, ports
from app.shell.ports import free_port
from app.shell.redirects import redirects
from app.shell.streamlit_internals import settings_of_environment
from vae_core.basics.allocator import share_freed_memory
from vae_core.basics.errors import UserError
from vae_core.basics.paths import FOLDER_VARIABLES, chosen_folder, data_folder_is_missing
from vae_core.basics.text import printable

ROOT = Path(__file__).resolve().parent.parent
_PORT, _ADDRESS, _BASE = "server.port", "server.address", "server.baseUrlPath"
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
    given = _arguments()
    try:
        change_to_root()
        settings = settings_for(given.port)
    except UserError as error:
        raise SystemExit(printable(str(error))) from error
    share_freed_memory()
    sys.argv[0] = __file__  # in a wheel, .streamlit/config.toml is beside this file
    address, base = (str(settings.get(each) or "") for each in (_ADDRESS, _BASE))
    settings[_PORT] = port = _port_near(given.port, address or "localhost")
    app = st.App(
        ROOT / "app" / "main.py",
        routes=redirects(base.strip("/")),
        lifespan=_announce(ports.opened_at(address or "localhost", port, base)),
        on_script_error=errors.report_uncaught,
    )
    app.run(config=settings)


def settings_for(port: int) -> dict[str, Any]:
    """Return what overrides .streamlit/config.toml: the port, and settings of the environment.

    Raises:
        SettingError: if a variable has a value that its setting cannot have.
    """
    return settings_of_environment() | {_PORT: port}


def _port_near(wanted: int, address: str) -> int:
    """Return the port that is wanted, or the next free one, and say so.

    Raises:
        SystemExit: if there is none.
    """
    if not ports.is_of_this_computer(address):
        raise SystemExit(
            f"STREAMLIT_SERVER_ADDRESS is {address}, which is not an address of this computer. "
            "Use 0.0.0.0 to listen on all of its addresses."
        )
    port = free_port(wanted, address)
    if port is None:
        tried = ports.ports_from(wanted)
        raise SystemExit(
            f"No port from {tried[0]} to {tried[-1]} can be used: each is in use, or reserved for "
            "the system. Close a program that holds one of them, or choose another: "
            "python -m app --port 9000"
        )
    if port != wanted:
        print(f"Port {wanted} is in use; taking {port} instead.", flush=True)
    return port


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m app", description="Start ELBO Room.")
    parser.add_argument(
        "--port",
        type=ports.a_port,
        default=os.environ.get("STREAMLIT_SERVER_PORT") or "8501",
        help="the port to listen on, or the next free one",
    )
    return parser.parse_args()


def change_to_root() -> None:
    """Change to the project's root, where Streamlit finds .streamlit/config.toml.

    Relative folders in the environment are made absolute first, so they stay the same folders.
    """
    for name in FOLDER_VARIABLES:
        if folder := chosen_folder(name):
            os.environ[name] = str(folder.resolve())
    if data_folder_is_missing():
        said = printable(os.environ["VAE_DATA_DIR"])
        print(f"VAE_DATA_DIR is {said}, which is not a folder.", file=sys.stderr, flush=True)
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
    importlib.import_module("app.services.adding").sweep()


def _announce(address: str):
    @asynccontextmanager
    async def lifespan(_app: st.App) -> AsyncIterator[None]:
        print(f"\n  ELBO Room is at {address}\n  Ctrl+C ends it.\n", flush=True)
        threading.Thread(target=_warm_up, daemon=True).start()
        yield

    return lifespan


if __name__ == "__main__":
    main()
