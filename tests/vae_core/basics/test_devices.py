"""The device that is asked for, or a sentence that it does not exist."""

import pytest
import torch

from vae_core.basics.devices import resolve_device
from vae_core.basics.errors import UserError
from vae_core.basics.paths import pretrained_folder
from vae_core.runs.checkpoint import load_model


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
@pytest.mark.parametrize("device", ["cuda", "cuda:1", torch.device("cuda")])
def test_a_gpu_that_does_not_exist_is_refused_in_a_sentence(device):
    with pytest.raises(UserError, match=r"'cuda.*' is not available here. Choose 'auto' or 'cpu'"):
        load_model(pretrained_folder() / "digits-full-d2", device=device)


def test_a_name_that_is_no_device_is_refused_in_a_sentence():
    with pytest.raises(UserError, match="There is no device 'gpu'"):
        resolve_device("gpu")
    assert resolve_device(torch.device("cpu")) == torch.device("cpu")
