"""Errors for the user: which exceptions they are, and the sentence that is read of each."""

import errno
import importlib
import os
import pkgutil
from collections.abc import Iterator
from typing import Any

import pytest
import torch

import vae_core
from vae_core import (
    ModelConfig,
    ais,
    bdmc,
    evaluate,
    infer,
    load_dataset,
    load_model,
    log_density,
    log_density_to,
    posterior_grid,
    refine,
    refit,
    simulate,
)
from vae_core.basics.errors import InvalidArgument, UserError, sentence_of
from vae_core.data.pixels import binarise
from vae_core.inference.annealing import Annealing
from vae_core.model.vae import VAE


def exceptions_of_the_core() -> Iterator[type[Exception]]:
    for found in pkgutil.walk_packages(vae_core.__path__, "vae_core."):
        if found.name == "vae_core.__main__":
            continue
        for name, value in vars(importlib.import_module(found.name)).items():
            public = isinstance(value, type) and not name.startswith("_")
            if not public or value.__module__ != found.name or issubclass(value, Warning):
                continue
            if issubclass(value, Exception):
                yield value


def test_every_public_exception_of_the_core_is_for_the_user_and_has_a_built_in_base() -> None:
    found = {each for each in exceptions_of_the_core() if each is not UserError}
    names = {each.__name__ for each in found}
    assert names >= {
        "ConfigError", "RunError", "DeviceError", "DownloadError", "Diverged", "DataError",
        "ImageError", "ModelFileError", "TableError", "NoModel", "RunExists", "InvalidArgument",
    }  # fmt: skip
    for each in found:
        assert issubclass(each, UserError), each
        assert issubclass(each, ValueError | RuntimeError | OSError | MemoryError), each


MODEL = VAE(ModelConfig(image_shape=(1, 4, 4), latent_size=2, hidden_size=4)).eval()
DEEP = VAE(ModelConfig(image_shape=(1, 4, 4), latent_size=3, hidden_size=4)).eval()
X = torch.zeros(2, 1, 4, 4)
WIDE, BYTES = torch.zeros(2, 1, 4, 5), torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
Z = torch.zeros(2, 2)
UNKNOWN: Any = "unknown"


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: log_density(MODEL, X, 0), "1 to 1,000,000, not 0"),
        (lambda: log_density(MODEL, WIDE, 5), r"\(1, 4, 4\), not \(1, 4, 5\)"),
        (lambda: log_density(MODEL, BYTES, 5), r"floats in \[0, 1\], not torch.uint8"),
        (lambda: log_density(MODEL, X, 5, proposal=MODEL.posterior(X[:1])), "for 1 images, not"),
        (lambda: log_density_to(MODEL, X, 0.0), "must be positive"),
        (lambda: refine(MODEL, WIDE), "shape"),
        (lambda: next(refit(MODEL, WIDE)), "shape"),
        (lambda: posterior_grid(DEEP, X[:1]), "d = 3"),
        (lambda: posterior_grid(MODEL, X), "one image"),
        (lambda: posterior_grid(MODEL, WIDE[:1]), "shape"),
        (lambda: infer("magic", MODEL, X[:1]), "must be one of amortised"),
        (lambda: infer("closed-form", MODEL, X[:1]), "linear"),
        (lambda: ais(MODEL, WIDE, Annealing(2, 2, 1)), "shape"),
        (lambda: bdmc(MODEL, WIDE, Z, Annealing(2, 2, 1)), "shape"),
        (lambda: bdmc(MODEL, X, Z[:1], Annealing(2, 2, 1)), r"\(2, 2\), not \(1, 2\)"),
        (lambda: Annealing(0), "at least one chain"),
        (lambda: simulate(MODEL, -1), "cannot be negative"),
        (lambda: MODEL.log_class_probabilities(Z), "no class head"),
        (lambda: load_dataset(UNKNOWN), "no data set 'unknown'"),
        (lambda: load_dataset("digits").split(UNKNOWN), "split must be one of train, validation"),
        (lambda: binarise(BYTES, UNKNOWN), "binarisation must be one of"),
        (lambda: evaluate(MODEL, load_dataset("digits"), "test", "dynamic", 5, limit=0), "limit"),
        (lambda: evaluate(MODEL, load_dataset("digits"), "test", "dynamic", 5, limit=3), "shape"),
        (lambda: ModelConfig(latent_size=0), "from 1 to"),
    ],
)  # fmt: skip
def test_a_bad_argument_of_a_public_function_is_a_value_error_for_the_user(call, said) -> None:
    with pytest.raises(UserError, match=said) as raised:
        call()
    assert isinstance(raised.value, ValueError)


def test_a_model_that_is_not_there_is_a_missing_file_for_the_user(tmp_path) -> None:
    with pytest.raises(UserError, match="train first") as raised:
        load_model(tmp_path)
    assert isinstance(raised.value, FileNotFoundError)


# ---- the sentence


def test_memory_that_ran_out_has_a_sentence_of_its_own_on_every_device() -> None:
    with pytest.raises(RuntimeError) as processor:
        torch.empty(10**15)
    cuda = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 …")
    apple = RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)")
    for error, device in (
        (processor.value, "computer"),
        (MemoryError(), "computer"),
        (cuda, "GPU"),
        (apple, "GPU"),
    ):
        said = sentence_of(error)
        assert said is not None
        assert said.startswith(f"The {device} ran out of memory.")
        assert "smaller batch" in said


def test_what_the_system_refuses_is_said_without_an_error_number(tmp_path) -> None:
    path = tmp_path / "no\x1b[31mfile"
    with pytest.raises(OSError, match="No such file") as raised:
        path.read_bytes()
    said = sentence_of(raised.value)
    assert said == f"{str(path)!r}: No such file or directory."
    assert sentence_of(OSError(28, "No space left on device")) == "No space left on device."
    assert sentence_of(ConnectionResetError()) == "ConnectionResetError"


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.ENOSPC, "The disk is full, so 'a.png' could not be written. Free some space"),
        (errno.EDQUOT, "Your quota on this disk is used up, so 'a.png' could not be written. Free"),
        (errno.EROFS, "The disk is read-only, so 'a.png' could not be written. Choose another"),
    ],
)
def test_a_file_that_cannot_be_written_is_named_with_the_reason_and_what_to_do(
    number: int, said: str
) -> None:
    found = sentence_of(OSError(number, os.strerror(number), "a.png"))
    assert found is not None
    assert found.startswith(said)


@pytest.mark.parametrize("bug", [ValueError("a"), RuntimeError("b"), KeyError("c"), TypeError("d")])
def test_a_bug_has_no_sentence(bug: Exception) -> None:
    assert sentence_of(bug) is None
    assert sentence_of(InvalidArgument("A sentence.")) == "A sentence."
