"""A model that the memory of the computer cannot hold: a sentence, whoever found it out."""

from pathlib import Path

import pytest
import torch

from vae_core.model.vae import VAE
from vae_core.runs import checkpoint
from vae_core.runs.checkpoint import TooLargeModel, load_model, save_model
from vae_core.settings.config import ModelConfig

SAID = "does not fit into the memory of this computer. Choose a smaller model."


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_model(VAE(ModelConfig(image_shape=(1, 4, 4), hidden_size=8, latent_size=2)), path)
    return path


def test_a_file_that_is_larger_than_the_memory_is_not_read(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpoint, "physical_memory", lambda: 100)
    with pytest.raises(TooLargeModel, match=SAID):
        load_model(file)


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: can't allocate"
                     " memory: you tried to allocate 4294967296 bytes."),
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
    ],
)  # fmt: skip
def test_memory_that_ran_out_while_the_model_was_built_has_the_same_sentence(
    file: Path, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*_: object) -> VAE:
        raise error

    monkeypatch.setattr(checkpoint, "build_for_weights", build)
    with pytest.raises(TooLargeModel, match=SAID):
        load_model(file)
