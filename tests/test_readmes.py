"""What the READMEs say can be followed: links, commands, options and Python."""

import re
import shlex
from pathlib import Path

import pytest

from vae_core.cli import main as command_line

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("", "app", "vae_core", "pretrained", "tests", "tests/benchmarks")
READMES = [ROOT / folder / "README.md" for folder in FOLDERS]


@pytest.fixture(params=READMES, ids=FOLDERS)
def readme(request: pytest.FixtureRequest) -> Path:
    return request.param


def blocks(readme: Path, language: str) -> list[str]:
    """The code of a README in one language; "" for commands."""
    found = re.findall(r"^```(\w*)\n(.*?)^```$", readme.read_text("utf-8"), re.M | re.S)
    return [code for marked, code in found if marked == language]


def anchors(readme: Path) -> set[str]:
    """The names of its headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", readme.read_text("utf-8"), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_first_one_is_short_enough_to_be_read() -> None:
    assert len(READMES[0].read_text("utf-8").splitlines()) <= 200


def test_every_link_leads_somewhere(readme: Path) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)", readme.read_text("utf-8"))
    for place, anchor in links:
        target = readme.parent / place if place else readme
        assert target.exists(), place
        assert not anchor or anchor in anchors(target), f"{place}#{anchor}"


def commands(readme: Path) -> list[list[str]]:
    """The words of every line that begins with ``vae``, with a family where FAMILY stands."""
    lines = "\n".join(blocks(readme, "")).replace(" FAMILY", " planar").splitlines()
    return [shlex.split(line, comments=True) for line in lines if line.startswith("vae ")]


def test_every_command_is_understood(readme: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parser = command_line._parser()
    for _, *arguments in commands(readme):
        if "--help" in arguments:
            continue  # which ends the program
        try:
            parser.parse_args(arguments)
        except SystemExit:
            pytest.fail(f"{arguments}: {capsys.readouterr().err}")


def test_every_import_in_its_python_exists(readme: Path) -> None:
    for block in blocks(readme, "python"):
        exec("\n".join(line for line in block.splitlines() if line.startswith(("from", "import"))))


def test_the_python_of_the_first_one_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (block,) = blocks(READMES[0], "python")
    assert re.findall(r"^(?:from|import) (\S+)", block, re.M) == ["vae_core"]
    exec(block, {})
    assert capsys.readouterr().out.startswith("tensor([-")
