"""What a killed process left over is removed when the run starts again."""

import os
import time

from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.runs.sweeping import ADDING, sweep, sweep_store
from vae_core.settings.config import RunConfig

LEFT_OVER = (
    ".metrics.jsonl.abcd1234", ".status.json.0a_b1c2d", ".config.json.zzzzzzzz",
    ".resume.pt.12345678", "resume.partial", "snapshots/.epoch-000001.safetensors.abcdefgh",
)  # fmt: skip
KEPT = (
    ".metrics.jsonl.abc", ".notes.abcd1234", "notes.txt", "metrics.jsonl",
    "snapshots/epoch-000001.safetensors", ".calibration.safetensors.abcd1234",
)  # fmt: skip


def test_temporary_files_are_removed_and_all_others_stay(tmp_path):
    run: Run = create_run(tmp_path / "run", RunConfig())
    for name in (*LEFT_OVER, *KEPT):
        (run.folder / name).write_text("x")
    sweep(run.folder)
    assert not [name for name in LEFT_OVER if (run.folder / name).exists()]
    assert all((run.folder / name).exists() for name in KEPT)
    assert run.status().state == "queued"


def test_of_a_store_only_old_temporary_files_and_half_added_runs_go(tmp_path):
    names = (".queue.json.abcd1234", ".queue.json.0a_b1c2d", ADDING + "old", ADDING + "new")
    for name in names:
        (tmp_path / name).mkdir() if name.startswith(ADDING) else (tmp_path / name).touch()
    (tmp_path / "a run").mkdir()
    long_ago = time.time() - 7 * 24 * 3600
    for name in (".queue.json.abcd1234", ADDING + "old", "a run"):
        os.utime(tmp_path / name, (long_ago, long_ago))
    sweep_store(tmp_path, "queue.json")
    left = {each.name for each in tmp_path.iterdir()}
    assert left == {".queue.json.0a_b1c2d", ADDING + "new", "a run"}
