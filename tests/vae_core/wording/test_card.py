"""The model card: the kept epoch, and figures of other images in a table of their own."""

from typing import Any

from vae_core.settings.config import RunConfig
from vae_core.wording.card import Training, card
from vae_core.wording.kept_epoch import chosen_by

FIGURES: dict[str, Any] = {
    "dataset": "mnist", "split": "test", "binarisation": "dynamic", "images": 10_000, "seed": 0,
    "importance_samples": 500, "log_px": -90.0, "log_px_se": 0.2, "elbo": -95.0, "elbo_se": 0.2,
    "expected_log_likelihood": -70.0, "kl": 25.0, "bits_per_dim": 0.1656, "ess": 20.0,
    "share_pareto_k_above_0_7": 0.5,
}  # fmt: skip
REFINED = {
    "log_px": -89.0, "log_px_se": 0.7, "ess": 200.0, "share_pareto_k_above_0_7": 0.01,
}  # fmt: skip
OTHERS = "Figures of other images, the first 1000 alone, which cannot be compared with those above:"


def written(refined_images: int = 10_000, **settings: Any) -> str:
    config = RunConfig.from_settings({"dataset": "mnist", **settings})
    criterion = {
        "iwae_samples": config.train.iwae_samples, "beta": config.train.beta, "free_bits": 0.0,
        "classes": False,
    }  # fmt: skip
    kept = {
        "epoch": 117, "value": -90.0, "last_epoch": 200, "kl_weight": config.train.beta,
        "criterion": criterion,
    }  # fmt: skip
    training = Training(117, chosen_by(kept), 60.0, "cpu")
    figures = FIGURES | {"refined": REFINED | {"images": refined_images}}
    return card("a-model", config, figures, training, 4096, "vae train")


def unfolded(text: str) -> str:
    return " ".join(text.split())


def test_the_kept_epoch_stands_with_what_chose_it() -> None:
    assert "The weights are those of epoch 117, the best by the ELBO" in unfolded(written())
    iwae = unfolded(written(iwae_samples=50))
    assert "of epoch 117, the best by the training objective (IWAE bound with K = 50)" in iwae


def test_refined_figures_of_all_images_stand_in_the_one_table() -> None:
    text = written()
    assert "Figures of other images" not in text
    above, refined = text.split("| log p(x), refined | -89.00 ± 0.70 nats |")
    assert above.endswith("| share of images with Pareto k above 0.7 | 0.500 |\n")
    assert "0.010" in refined


def test_refined_figures_of_a_part_stand_in_a_table_of_their_own() -> None:
    whole, part = written(1000).split(OTHERS)
    assert "refined" not in whole
    assert whole.endswith("| share of images with Pareto k above 0.7 | 0.500 |\n\n")
    lines = part.splitlines()
    assert lines[2:4] == ["| figure | value |", "| --- | --- |"]
    assert lines[4].startswith("| log p(x), refined | -89.00")
    assert "Gaussian fitted to each of the first 1000 images" in unfolded(part)
