"""Who may import whom, and what stands where. A wrong arrow fails here, by name."""

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = {"app", "vae_core", "pretrained", "tests"}
FILES = {"requirements.txt", "README.md", "pyproject.toml", "Makefile"}
ARTEFACTS = {"build", "runs", "__pycache__"}  # ignored by git

FORBIDDEN = {
    "vae_core": {"app", "streamlit", "plotly", "tests"},
    "app/figures": {"streamlit", "torch", "tests"},
    "app": {"tests"},
}


def sources(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "__pycache__" not in p.parts)


# Parsed as this file is collected: CPython 3.11 can fail to once a greenlet, such as the browser's
# driver, has run in the process.
TREES = {p: ast.parse(p.read_text("utf-8")) for f in ("app", "vae_core") for p in sources(f)}


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """The modules a file imports, inside functions too, with their line."""
    package = path.relative_to(ROOT).parent.parts
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else ()
            yield node.lineno, ".".join([*above, *filter(None, [node.module])])


@pytest.mark.parametrize("folder", FORBIDDEN)
def test_no_import_points_the_wrong_way(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources(folder)
        for line, name in imports(path)
        if name.partition(".")[0] in FORBIDDEN[folder]
    ]
    assert not wrong, "\n".join(wrong)


def test_figures_take_arrays_and_know_nothing_of_pages() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for path in sources("app/figures")
        for line, name in imports(path)
        if name.startswith("app") and not name.startswith("app.figures")
    ]
    assert not wrong, "\n".join(wrong)


def test_the_top_level_holds_what_the_design_names_and_nothing_else() -> None:
    names = [e for e in ROOT.iterdir() if not e.name.startswith(".")]
    folders = {e.name for e in names if e.is_dir() and not e.name.endswith(".egg-info")}
    assert folders - ARTEFACTS == FOLDERS
    assert {e.name for e in names if e.is_file()} == FILES


def test_every_page_in_the_navigation_has_a_script_and_the_other_way_round() -> None:
    from app.shell import PAGES

    assert {p.stem for p in (ROOT / "app/pages").glob("*.py")} == set(PAGES)


@pytest.mark.parametrize(("folder", "limit"), [("app", 420), ("vae_core", 420), ("app/pages", 170)])
def test_files_stay_short_enough_to_read(folder: str, limit: int) -> None:
    lengths = {p.relative_to(ROOT): len(p.read_text("utf-8").splitlines()) for p in sources(folder)}
    assert not {str(path): n for path, n in lengths.items() if n > limit}


def test_nothing_unpickles() -> None:
    wrong = [
        f"{path.relative_to(ROOT)}:{line} imports {name}"
        for folder in ("app", "vae_core")
        for path in sources(folder)
        for line, name in imports(path)
        if name.partition(".")[0] in {"pickle", "dill", "cloudpickle", "joblib"}
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("module", ["app.shell", "app.widgets", "app.forms", "app.figures.style"])
def test_the_shell_is_there_before_torch(module: str) -> None:
    check = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", check],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        check=False,
    )
    assert done.returncode == 0, f"{module} imports torch"
