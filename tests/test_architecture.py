"""Who may import whom, and what stands where. A wrong arrow fails here, by name."""

import os
import subprocess
import sys
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


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    names = [e for e in ROOT.iterdir() if not e.name.startswith(".")]
    folders = {e.name for e in names if e.is_dir() and not e.name.endswith(".egg-info")}
    assert folders - ARTEFACTS == FOLDERS
    assert {e.name for e in names if e.is_file() and e.suffix != ".whl"} == FILES


def test_every_page_in_the_navigation_has_a_script_and_the_other_way_round() -> None:
    from app.shell.navigation import PAGES

    scripts = {p.parent.name for p in (ROOT / "app/views").glob("*/page.py")}
    assert scripts == {entry.folder or name for name, entry in PAGES.items()}


@pytest.mark.parametrize(("folder", "limit"), [("app", 420), ("vae_core", 420), ("app/views", 420)])
def test_files_stay_short_enough_to_read(folder: str, limit: int) -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text("utf-8").splitlines()) for p in sources(folder)}
    assert not {str(path): n for path, n in lengths.items() if n > limit}


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["app.shell.frame", "app.parts.widgets", "app.parts.forms", "app.figures.style"]
)
def test_the_shell_is_there_before_torch(module: str) -> None:
    check = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, f"{module} imports torch"
