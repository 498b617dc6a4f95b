"""Warnings of Python, which pages, commands and the worker replace by words of their own."""

import subprocess
import sys
import warnings

import pytest

from vae_core.basics.warned import GreyImages, say_it_elsewhere
from vae_core.cli import main
from vae_core.runs import worker


def is_shown() -> bool:
    with warnings.catch_warnings(record=True) as found:
        warnings.warn("Some pixels are grey", GreyImages, stacklevel=1)
    return bool(found)


def test_a_program_with_words_of_its_own_shows_no_warning_of_grey_images() -> None:
    warnings.simplefilter("always")
    assert is_shown()
    say_it_elsewhere()
    assert not is_shown()


def test_commands_and_the_worker_show_none(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []

    def note(*_: object) -> int:
        shown.append(is_shown())
        return 0

    monkeypatch.setattr(main, "main", note)
    monkeypatch.setattr(worker, "supervise", note)
    monkeypatch.setattr(sys, "argv", ["worker", "--store", "nowhere"])
    warnings.simplefilter("always")
    with pytest.raises(SystemExit):
        main.run_as_program()
    warnings.simplefilter("always")
    worker.main()
    assert shown == [False, False]


def test_pages_show_none() -> None:
    program = (
        "import warnings, app; from vae_core.basics.warned import GreyImages; "
        "warnings.warn('grey', GreyImages)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
