"""What a killed process left over is removed when the run starts again."""

from vae_core.runs.run import Run
from vae_core.runs.store import create_run
from vae_core.runs.sweeping import sweep
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
