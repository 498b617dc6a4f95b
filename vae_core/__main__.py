"""``python -m vae_core``: the command line of :mod:`vae_core.cli.main`."""

from vae_core.cli.main import run_as_program

if __name__ == "__main__":
    run_as_program()
