"""A recorded step, with a recorder that runs anywhere: it replays by calling."""

import logging

import pytest
import torch

from vae_core.settings.config import RunConfig
from vae_core.training.cuda_graphs import Replayed
from vae_core.training.trainer import Training


def calls(replays: list[str]):
    def record(step):
        def replay() -> None:
            replays.append("replay")
            step()

        return replay

    return record


def trained(digits, replays: list[str] | None) -> Training:
    settings = {"posterior": "iaf", "epochs": 2, "batch_size": 100, "kl_warmup_epochs": 1}
    training = Training(RunConfig.from_settings(settings), digits)
    if replays is not None:
        training.make_step = Replayed(training._step, calls(replays))
    for _ in training.events():
        pass
    return training


@pytest.mark.slow
def test_training_by_replay_is_training(digits) -> None:
    replays: list[str] = []
    plain, replayed = trained(digits, None), trained(digits, replays)
    for a, b in zip(plain.model.parameters(), replayed.model.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    assert len(replays) == 26 - 3 - 2  # 13 steps an epoch: three are warm-up, two are smaller


def test_a_recording_reads_its_inputs_from_where_they_were() -> None:
    seen = []

    def note(chosen, rate, kl_weight) -> None:
        seen.append((chosen.tolist(), float(rate), float(kl_weight)))

    step = Replayed(note, lambda recorded: recorded)
    expected = [([k, k + 1], 0.5 * k, 0.25 * k) for k in range(6)]
    for chosen, rate, weight in expected:
        step(torch.tensor(chosen), rate, weight)
    assert seen == expected


def test_what_cannot_be_recorded_is_done_step_by_step(caplog) -> None:
    seen = []

    def refuse(_):
        raise RuntimeError("operation not permitted when stream is capturing")

    step = Replayed(lambda chosen, *_: seen.append(chosen.tolist()), refuse)
    with caplog.at_level(logging.WARNING):
        for k in range(6):
            step(torch.tensor([k]), 0.1, 1.0)
    assert seen == [[k] for k in range(6)]
    assert len(caplog.records) == 1
