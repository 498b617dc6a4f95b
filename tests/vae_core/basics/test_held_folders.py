"""The temporary folder of a killed process is removed by the next one; those in use stay."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from vae_core.basics.held_folders import LOCK_FILE, HeldFolder, sweep_held

KEPT_OPEN = """
import sys
from pathlib import Path
from vae_core.basics.held_folders import HeldFolder
held = HeldFolder(Path(sys.argv[1]), "work-")
(held.path / "large").write_bytes(bytes(1000))
print("ready", flush=True)
sys.stdin.read()
"""


def test_a_folder_in_use_stays_and_is_gone_when_it_is_closed(tmp_path: Path) -> None:
    with HeldFolder(tmp_path, "work-") as folder:
        (folder / "a").write_text("x")
        assert sweep_held(tmp_path, "work-") == 0
        assert (folder / "a").exists()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_the_folder_of_a_killed_process_is_removed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", KEPT_OPEN, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        assert sweep_held(tmp_path, "work-") == 0
        process.send_signal(signal.SIGKILL)
    assert [each.name[:5] for each in tmp_path.iterdir()] == ["work-"]
    assert sweep_held(tmp_path, "work-") == 1
    assert list(tmp_path.iterdir()) == []


def test_what_may_belong_to_others_is_left_alone(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / LOCK_FILE).touch()
    (tmp_path / "work-link").symlink_to(elsewhere, target_is_directory=True)
    (tmp_path / "work-without-lock").mkdir()
    (tmp_path / "work-file").touch()
    (tmp_path / "work-lock-link").mkdir()
    (tmp_path / "work-lock-link" / LOCK_FILE).symlink_to(elsewhere / LOCK_FILE)
    before = sorted(tmp_path.iterdir())
    assert sweep_held(tmp_path, "work-") == 0
    assert sorted(tmp_path.iterdir()) == before
    assert sweep_held(tmp_path / "nowhere", "work-") == 0
