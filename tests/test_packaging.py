"""The wheel holds all that the programs read, and they run from it with no source tree near."""

import configparser
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image
from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ClientState_pb2 import ClientState
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from websockets.sync.client import connect

from tests.app.shell.test_start_up import health, said_address

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("app", "vae_core", "pretrained")
SETTINGS = ".streamlit/config.toml"
TREE = (*PACKAGES, "tests", ".streamlit", "pyproject.toml", "README.md", "LICENSE")
LEFTOVERS = ("__pycache__", "*.pyc", ".*.swp")


@dataclass(frozen=True)
class Installed:
    """An unpacked wheel, its console scripts and an empty folder to stand in."""

    packages: Path
    elsewhere: Path

    def command(self, name: str) -> list[str]:
        """Make a console script as pip does, in a folder of its own."""
        (record,) = self.packages.glob("*.dist-info/entry_points.txt")
        scripts = configparser.ConfigParser(delimiters="=")
        scripts.read(record)
        module, _, function = scripts["console_scripts"][name].partition(":")
        script = self.elsewhere.with_name("bin") / name
        script.parent.mkdir(exist_ok=True)
        script.write_text(f"import sys\nfrom {module} import {function}\nsys.exit({function}())\n")
        return [sys.executable, str(script)]

    def environment(self) -> dict[str, str]:
        """This environment, where the unpacked wheel comes before all that is installed."""
        return os.environ | {"PYTHONPATH": str(self.packages)}

    def run(self, *command: str) -> str:
        """Run a command in the empty folder; what it printed."""
        return subprocess.run(
            command,
            cwd=self.elsewhere,
            env=self.environment(),
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel, built from a copy of the source tree by the tools that are installed here."""
    if importlib.util.find_spec("setuptools") is None:
        pytest.skip("no setuptools to build a wheel with: pip install -e '.[test]'")
    folder = tmp_path_factory.mktemp("wheel")
    for name in TREE:
        if (ROOT / name).is_dir():
            ignored = shutil.ignore_patterns(*LEFTOVERS)
            shutil.copytree(ROOT / name, folder / "source" / name, ignore=ignored)
        else:
            shutil.copy(ROOT / name, folder / "source" / name)
    removed = folder / "source/build/lib/app/removed.py"  # left over from an earlier version
    removed.parent.mkdir(parents=True)
    removed.touch()
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "wheel"]
    options = ["--no-deps", "--no-build-isolation", "--wheel-dir", str(folder)]
    subprocess.run([*pip, ".", *options], cwd=folder / "source", check=True, capture_output=True)
    shutil.rmtree(folder / "source")
    (built,) = folder.glob("elbo_room-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Installed:
    folder = tmp_path_factory.mktemp("installed")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "packages")
    (folder / "elsewhere").mkdir()
    return Installed(folder / "packages", folder / "elsewhere")


def wanted_in_a_wheel(path: Path) -> bool:
    """Whether a program reads it: no README, nothing hidden, nothing that was compiled."""
    return not path.name.startswith(("README", ".")) and "__pycache__" not in path.parts


def test_the_wheel_holds_every_file_of_the_packages_and_nothing_else(wheel: Path) -> None:
    files = [path for name in PACKAGES for path in (ROOT / name).rglob("*") if path.is_file()]
    wanted = {path.relative_to(ROOT) for path in files if wanted_in_a_wheel(path)}
    with zipfile.ZipFile(wheel) as archive:
        found = {Path(name) for name in archive.namelist() if ".dist-info/" not in name}
    assert {path.suffix for path in found} >= {".py", ".css", ".js", ".svg", ".safetensors"}
    assert found == wanted | {Path("app", SETTINGS)}


def test_the_settings_in_the_wheel_are_those_of_the_source_tree(installed: Installed) -> None:
    assert (installed.packages / "app" / SETTINGS).read_bytes() == (ROOT / SETTINGS).read_bytes()


def test_the_command_line_scores_with_a_model_of_the_wheel(installed: Installed) -> None:
    vae = installed.command("vae")
    Image.new("L", (8, 8)).save(installed.elsewhere / "blank.png")
    scored = installed.run(*vae, "score", "pretrained/digits-full-d2", "blank.png", "--json")
    (image,) = json.loads(scored)["images"]
    assert image["ok"]
    assert image["percentile"] is not None  # its calibration was found too
    where = installed.run(sys.executable, "-c", "import vae_core; print(vae_core.__file__)")
    assert Path(where.strip()).is_relative_to(installed.packages)


@pytest.fixture(scope="module")
def address(installed: Installed) -> Iterator[str]:
    """Where the app of the wheel is."""
    process = subprocess.Popen(
        installed.command("elbo-room"),
        cwd=installed.elsewhere,
        env=installed.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield said_address(process)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_the_app_of_the_wheel_draws_its_first_page_with_the_settings(address: str) -> None:
    assert health(address) == b"ok"
    messages = first_page(address)
    session = messages[0].new_session
    wanted = tomllib.loads((ROOT / SETTINGS).read_text("utf-8"))
    assert session.config.gather_usage_stats is wanted["browser"]["gatherUsageStats"]
    assert session.config.toolbar_mode == session.config.MINIMAL
    theme = session.custom_theme
    assert theme.light.primary_color == wanted["theme"]["light"]["primaryColor"]
    assert (
        theme.dark.sidebar.background_color == wanted["theme"]["dark"]["sidebar"]["backgroundColor"]
    )
    assert list(theme.heading_font_sizes) == wanted["theme"]["headingFontSizes"]
    drawn = [message.delta.new_element for message in messages if message.HasField("delta")]
    assert any("ELBO" in str(element) for element in drawn)
    assert not [e for e in drawn if e.WhichOneof("type") in ("exception", "alert")]
    assert messages[-1].script_finished == ForwardMsg.FINISHED_SUCCESSFULLY


def first_page(address: str) -> list[ForwardMsg]:
    """Ask for the first page as a browser does; all that the app sends until it is drawn."""
    stream = f"{address.replace('http', 'ws')}/_stcore/stream"
    messages = []
    with connect(stream, max_size=None) as socket:
        socket.send(BackMsg(rerun_script=ClientState()).SerializeToString())
        while not messages or messages[-1].WhichOneof("type") != "script_finished":
            message = ForwardMsg.FromString(socket.recv(timeout=60, decode=False))
            if messages or message.WhichOneof("type") == "new_session":
                messages.append(message)
    return messages
