"""Who may import whom, and what stands where. A wrong arrow fails here, by name."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"app", "vae_core", "pretrained", "tests"}
FILES = {
    "requirements.txt", "README.md", "LICENSE", "CHANGELOG.md", "CITATION.cff", "pyproject.toml",
    "Makefile",
}  # fmt: skip
ARTEFACTS = {"build", "runs", "__pycache__"}  # ignored by git


def sources(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


@pytest.mark.slow
def test_every_import_points_the_way_that_pyproject_allows() -> None:
    check = "from importlinter.cli import lint_imports_command as check; check()"
    done = subprocess.run(
        [sys.executable, "-c", check, "--no-cache"],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_lies_outside_the_rooms_of_the_core() -> None:
    assert {p.name for p in (ROOT / "vae_core").glob("*.py")} == {"__init__.py", "__main__.py"}


_SUBMODULES = r"streamlit\.(?!components\.v2\b|testing\b)\w+"
_SERVERS = r"tornado|uvicorn|starlette\.(?!requests\b|responses\b|routing\b)"  # st.App has routes
PRIVATE = re.compile(f"{_SUBMODULES}|{_SERVERS}")
INTERNALS = ROOT / "app" / "shell" / "streamlit_internals.py"


@pytest.mark.parametrize("path", sources("app"), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_streamlit_does_not_document_is_used_in_one_file(path: Path) -> None:
    found = [name for name in names_from_outside(path) if PRIVATE.match(name)]
    assert path == INTERNALS or not found


def names_from_outside(path: Path) -> Iterator[str]:
    """Dotted names that a module imports, and those that it takes from ``st``."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        match node:
            case ast.Import():
                yield from (each.name for each in node.names)
            case ast.ImportFrom(module=str(module)):
                yield from (f"{module}.{each.name}" for each in node.names)
            case ast.Attribute(value=ast.Name(id="st"), attr=name) if is_private(name):
                yield f"streamlit.{name}"


def is_private(name: str) -> bool:
    """Whether an attribute of Streamlit is a module of its own or begins with an underscore."""
    return name.startswith("_") or name in {"runtime", "web", "proto", "errors", "delta_generator"}


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    names = [e for e in ROOT.iterdir() if not e.name.startswith(".")]
    folders = {e.name for e in names if e.is_dir() and not e.name.endswith(".egg-info")}
    assert folders - ARTEFACTS == FOLDERS
    assert {e.name for e in names if e.is_file() and e.suffix != ".whl"} == FILES


def test_every_page_in_the_navigation_has_a_script_and_the_other_way_round() -> None:
    from app.shell.navigation import PAGES

    scripts = {p.parent.name for p in (ROOT / "app/views").glob("*/page.py")}
    assert scripts == {*PAGES}


@pytest.mark.parametrize(("folder", "limit"), [("app", 420), ("vae_core", 420), ("app/views", 420)])
def test_files_stay_short_enough_to_read(folder: str, limit: int) -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text("utf-8").splitlines()) for p in sources(folder)}
    assert not {str(path): n for path, n in lengths.items() if n > limit}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module",
    [
        "app.shell.frame",
        "app.parts.widgets",
        "app.parts.forms",
        "app.figures.style",
        "vae_core.cli.main",
        "vae_core.data.catalogue",
        "vae_core.runs.worker",
    ],
)
def test_it_is_there_before_torch(module: str) -> None:
    check = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, f"{module} imports torch"
