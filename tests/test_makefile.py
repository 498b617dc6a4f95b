"""Which build of PyTorch ``make app`` installs, by the real make with a pip that only notes."""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PYTHON = f"""#!/bin/sh
# Stands in for Python and for that of the new environment: notes what pip is to install.
case "$1 $2" in
  "-m venv") mkdir -p "$3/bin" && touch "$3/pyvenv.cfg" && cp "$0" "$3/bin/python" ;;
  "-m pip") echo "$@" >> pip.log; case "$*" in *"$REFUSED"*) exit 1 ;; esac ;;
  *) exec {sys.executable} "$@" ;;
esac
"""
pytestmark = pytest.mark.skipif(
    sys.platform != "linux" or not shutil.which("make"), reason="needs make, on Linux"
)


class _Index(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing."""


@pytest.fixture
def index() -> Iterator[str]:
    """Address of an index of packages that answers."""
    server = HTTPServer(("127.0.0.1", 0), _Index)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The files that installing needs, and programs of which none is an NVIDIA driver's."""
    for name in ("Makefile", "requirements.txt", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in ("sh", "grep", "touch", "mkdir", "cp", "ls", "uname", "timeout", "head"):
        (programs / name).symlink_to(str(shutil.which(name)))
    program(programs / "python3", PYTHON)
    return tmp_path


def program(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


def install(project: Path, *given: str, refused: str = "nothing is") -> tuple[str, list[str]]:
    """What make printed, and what pip was asked for."""
    done = subprocess.run(
        [str(shutil.which("make")), ".venv/installed", "WSL=/none", *given],
        cwd=project,
        env={"PATH": str(project / "programs"), "REFUSED": refused, "NO_PROXY": "*"}
        | {name: os.environ[name] for name in ("LANG",) if name in os.environ},
        capture_output=True,
        text=True,
        check=True,
    )
    asked = (project / "pip.log").read_text().splitlines()
    return done.stdout, [line.partition("install ")[2] for line in asked]


def test_without_a_driver_the_build_for_processors_comes_first(project: Path, index: str) -> None:
    said, asked = install(project, f"CPU_BUILDS={index}")
    assert "torch==" in asked[0]
    assert asked[0].endswith(f"--index-url {index}")
    assert asked[1].endswith("-r requirements.txt")
    assert "No NVIDIA driver was found" in said
    assert "make app TORCH=index" in said, "how to have the other"


def test_with_a_driver_the_package_index_is_asked(project: Path, index: str) -> None:
    program(project / "programs" / "nvidia-smi", "#!/bin/sh\n")
    _, asked = install(project, f"CPU_BUILDS={index}")
    assert len(asked) == 1
    assert asked[0].endswith("-r requirements.txt")


def test_a_user_may_choose_the_package_index(project: Path, index: str) -> None:
    _, asked = install(project, f"CPU_BUILDS={index}", "TORCH=index")
    assert len(asked) == 1


def test_where_its_index_cannot_be_reached_the_usual_one_is_taken(project: Path) -> None:
    said, asked = install(project, "CPU_BUILDS=http://127.0.0.1:9")
    assert len(asked) == 1
    assert "cannot be reached: taking PyTorch from the package index" in said


def test_an_index_that_breaks_off_does_not_end_the_installation(project: Path, index: str) -> None:
    said, asked = install(project, f"CPU_BUILDS={index}", refused="--index-url")
    assert len(asked) == 2
    assert "That failed: taking PyTorch from the package index" in said
