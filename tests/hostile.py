"""Run folders that somebody could send to do harm, each with one thing wrong.

:func:`hostile_store` makes a run store of them. Each folder is a small whole run but for one file.
"""

import contextlib
import json
import os
import shutil
import socket
import stat
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from vae_core.basics.paths import pretrained_folder
from vae_core.model.vae import VAE
from vae_core.runs.checkpoint import save_model
from vae_core.runs.store import RunStore, create_run
from vae_core.settings.config import RunConfig

FILES = (
    "config.json", "status.json", "metrics.jsonl", "model.safetensors", "resume.pt",
    "evaluation.json", "held_out.safetensors", "calibration.safetensors", "detection.json",
    "operating_point.json", "latents.npz", "examples.safetensors", "dataset.json",
    "start.safetensors", "last.safetensors", "worker.log", "control", ".lock", "snapshots",
    "snapshots/epoch-000001.safetensors",
)  # fmt: skip
SIZE = 8_000_000_000  # of sparse files
SECRET = "precious"
SETTINGS = {"hidden_size": 8, "hidden_layers": 1, "epochs": 1, "importance_every": 0}

Spoil = Callable[[Path, Path], object]
"""Puts something wrong at a path, given the sentinel file of the user."""


@dataclass(frozen=True)
class Hostile:
    """A store of hostile runs.

    Attributes:
        store: the store, which has two healthy runs too.
        healthy: a finished run; ``queued`` is one that waits.
        bad: names of the hostile folders.
        outside: a folder of the user with files that nothing may read or change.
    """

    store: RunStore
    healthy: str
    queued: str
    bad: tuple[str, ...]
    outside: Path

    def untouched(self) -> bool:
        """Whether the user's files are as they were, and no file was added to them."""
        files = {path.name: path.read_text("utf-8") for path in self.outside.iterdir()}
        return files == {"sentinel": SECRET, ".bashrc": SECRET}


def hostile_store(folder: Path, state: str = "done", only: str = "") -> Hostile:
    """Make a store of hostile runs in a new folder.

    Args:
        state: state of all runs, as in ``status.json``.
        only: make only the runs whose names contain this text.
    """
    outside, template = folder / "outside", folder / "template"
    outside.mkdir(parents=True)
    for name in ("sentinel", ".bashrc"):
        (outside / name).write_text(SECRET, "utf-8")
    _whole_run(template, state)
    store = RunStore(folder / "runs")
    queued = store.create(RunConfig.from_settings(SETTINGS))
    shutil.copytree(template, store.folder / "healthy")
    bad = []
    for name, spoil in _everything(outside):
        if only in name:
            target = store.folder / name
            shutil.copytree(template, target)
            with contextlib.suppress(OSError):  # devices need rights; file systems lack some kinds
                spoil(target)
                bad.append(name)
    return Hostile(store, "healthy", queued.id, tuple(bad), outside)


def _whole_run(folder: Path, state: str) -> None:
    config = RunConfig.from_settings(SETTINGS | {"title": "hostile"})
    run = create_run(folder, config)
    run.update(state=state, epoch=1, step=21, steps=21, seconds=1.0, best_epoch=1)
    save_model(VAE(config.model), folder / "model.safetensors")
    source = pretrained_folder() / "digits-full-d2"
    for name in ("evaluation.json", "held_out.safetensors", "detection.json"):
        shutil.copyfile(source / name, folder / name)
    shutil.copyfile(source / "calibration.safetensors", folder / "calibration.safetensors")
    (folder / "metrics.jsonl").write_text(METRICS + "\n", "utf-8")
    pixels = torch.zeros(12, 1, 8, 8, dtype=torch.uint8)
    pictures = {"originals": pixels, "reconstructions": pixels.clone(), "samples": pixels.clone()}
    save_file(pictures, folder / "snapshots" / "epoch-000001.safetensors")
    torch.save({"generator": torch.zeros(1)}, folder / "resume.pt")


_FIRST = pretrained_folder() / "digits-full-d2" / "metrics.jsonl"
METRICS = _FIRST.read_text("utf-8").partition("\n")[0]


def _everything(outside: Path) -> Iterator[tuple[str, Callable[[Path], object]]]:
    for file in FILES:
        for kind, spoil in PLACES.items():
            yield f"{kind}-{file.replace('/', '-')}", _at(file, spoil, outside / "sentinel")
    for file, damages in CONTENTS.items():
        for number, content in enumerate(damages):
            yield f"content-{number:02}-{file}", _with_content(file, content)
    for number, tensors in enumerate(TENSORS):
        yield f"bomb-{number:02}", _with_content("model.safetensors", tensors)
    for number, change in enumerate(STATUSES):
        yield f"status-{number:02}", _with_status(change)
    for number, row in enumerate(ROWS):
        yield f"row-{number:02}", _with_content("metrics.jsonl", row)
    yield "line\nbreak; touch pwned", lambda folder: _link(folder / "worker.log", outside)
    yield "\x1b[31mred", lambda _: None
    yield "-rf", lambda _: None
    yield "old-partial", lambda folder: _link(folder / "resume.partial", outside)


def _link(path: Path, outside: Path) -> None:
    path.symlink_to(outside / ".bashrc")


def _at(file: str, spoil: Spoil, sentinel: Path) -> Callable[[Path], object]:
    def at(folder: Path) -> None:
        path = folder / file
        if path.is_dir():
            shutil.rmtree(path)
        path.unlink(missing_ok=True)
        spoil(path, sentinel)

    return at


def _with_content(file: str, content: str | bytes) -> Callable[[Path], object]:
    data = content if isinstance(content, bytes) else content.encode()
    return lambda folder: (folder / file).write_bytes(data)


def _with_status(change: Mapping[str, Any]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        path = folder / "status.json"
        path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | change), "utf-8")

    return write


def _sparse(path: Path, _sentinel: Path) -> None:
    with path.open("wb") as file:
        file.truncate(SIZE)


def _socket(path: Path, _sentinel: Path) -> None:
    where = Path.cwd()
    os.chdir(path.parent)  # the whole path may be longer than an address
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind(path.name)
    finally:
        os.chdir(where)


PLACES: Mapping[str, Spoil] = {
    "link": lambda path, sentinel: path.symlink_to(sentinel),
    "hard-link": lambda path, sentinel: path.hardlink_to(sentinel),
    "link-to-nothing": lambda path, sentinel: path.symlink_to(sentinel.parent / "made"),
    "link-to-folder": lambda path, sentinel: path.symlink_to(sentinel.parent),
    "link-to-itself": lambda path, _: path.symlink_to(path.name),
    "link-to-zeros": lambda path, _: path.symlink_to("/dev/zero"),
    "pipe": lambda path, _: os.mkfifo(path),
    "folder": lambda path, _: (path / "inside").mkdir(parents=True),
    "socket": _socket,
    "device": lambda path, _: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5)),
    "sparse": _sparse,
    "nothing": lambda path, _: path.write_bytes(b""),
}
"""What can be in the place of a file."""

DEEP = "[" * 200_000
CONTENTS: Mapping[str, tuple[str, ...]] = {
    "config.json": (DEEP, "[]", "null", '"x"', '{"model": []}', '{"train": 3}', '{"title": 7}',
                    '{"dataset": ["digits"]}', '{"dataset": {"a": 1}}', "NaN", "\x00",
                    '{"model": {"image_shape": "abc"}}', '{"model": {"image_shape": [1, 1e9, 1]}}',
                    '{"model": {"hidden_size": 1e400}}', '{"model": ' + DEEP),
    "status.json": (DEEP, "[]", "null", "7", "{}", '{"state": "done", "mood": 1}'),
    "evaluation.json": (DEEP, "[]", "null", "{}", '{"log_px": "x"}',
                        '{"log_px": "![](http://evil)", "log_px_se": [], "elbo": {}}'),
    "detection.json": (DEEP, "[]", "null", "{}", '{"format": 1, "kinds": []}',
                       '{"format": 1, "kinds": {"a": 1}}'),
    "control": ("x" * 1000, "\x1b[31m"),
}  # fmt: skip
"""Contents that are no such file."""

STATUSES: tuple[Mapping[str, Any], ...] = (
    {"state": "weird"}, {"state": None}, {"state": ["queued"]}, {"state": {"a": 1}},
    {"created": "abc"}, {"created": 1e300}, {"created": float("nan")}, {"created": -1},
    {"queued": "soon"}, {"queued": None}, {"queued": []}, {"heartbeat": {}}, {"pid": "x"},
    {"epoch": "x"}, {"epoch": -7}, {"epoch": 1.5}, {"epoch": None}, {"epoch": 10**30},
    {"step": [1]}, {"steps": True}, {"seconds": "long"}, {"seconds": float("inf")},
    {"deaths": None}, {"deaths": "3"}, {"best_epoch": {}}, {"phase": 7}, {"device": []},
    {"error": {"a": "b"}}, {"error": "x" * 100_000}, {"terms": []}, {"terms": {"elbo": "x"}},
    {"terms": {"elbo": [1]}},
)  # fmt: skip
"""Changes of a status that no program writes."""


def _row(**changes: Any) -> str:
    row = json.loads(METRICS)
    validation = row["validation"] | changes
    return json.dumps(row | {"validation": validation}) + "\n"


ROWS: tuple[str, ...] = (
    _row(active_units="![x](http://evil.example/x.png)"),
    _row(elbo="=1+1"),
    _row(elbo=None),
    _row(elbo=float("nan")),
    _row(dataset="http://evil.example **bold**"),
    _row(kl_by_dimension="abc"),
    _row(kl_by_dimension=[1]),
    _row(kl_by_dimension=[{}] * 2),
    _row(mean_variance_by_dimension=[]),
    _row(samples="many"),
    json.dumps(json.loads(METRICS) | {"epoch": "one"}) + "\n",
    json.dumps(json.loads(METRICS) | {"importance": 7}) + "\n",
    json.dumps(json.loads(METRICS) | {"importance": {}}) + "\n",
    json.dumps({"epoch": 1, "train": {}, "validation": {}}) + "\n",
    json.dumps({"epoch": 1, "train": [], "validation": []}) + "\n",
    DEEP + "\n",
    "\n" * 100_000,
    "x" * 3_000_000,
)
"""Metrics that no program writes."""


def _tensor_file(header: Any, size: int = 0, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + bytes(size)


def _model_header(**settings: Any) -> dict[str, Any]:
    config = RunConfig.from_settings(SETTINGS).model.to_dict() | settings
    return {
        "__metadata__": {"model": json.dumps(config)},
        "x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    }


_GIANTS: tuple[Mapping[str, Any], ...] = (
    {"posterior": "iaf", "flow_steps": 64, "flow_hidden_size": 4096},
    {"posterior": "spline", "flow_steps": 64, "flow_hidden_size": 4096, "latent_size": 512},
    {"hidden_size": 8192, "hidden_layers": 16},
    {"network": "conv", "channels": 512},
    {"image_shape": [1024, 1024, 1024]},
)
TENSORS: tuple[bytes, ...] = (
    b"",
    b"\xff" * 8,
    _tensor_file(b"{}", length=10**15),
    _tensor_file(b"{}", length=100_000_000, size=100),
    _tensor_file(DEEP.encode()),
    _tensor_file([]),
    _tensor_file({"__metadata__": {"model": DEEP}}),
    _tensor_file({"__metadata__": {"model": "[]"}}),
    _tensor_file({"__metadata__": []}),
    _tensor_file({"x": {"dtype": "F32", "shape": [2**40, 2**40], "data_offsets": [0, 4]}}, 4),
    _tensor_file({"x": {"dtype": "F32", "shape": [-1], "data_offsets": [0, 4]}}, 4),
    _tensor_file({"x": {"dtype": ["F32"], "shape": [1], "data_offsets": [0, 4]}}, 4),
    *(_tensor_file(_model_header(**giant), 4) for giant in _GIANTS),
)
"""Model files that ask for too much, or that are none."""
