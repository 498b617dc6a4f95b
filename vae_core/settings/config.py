"""Every setting of a run: its default, bounds, label and help text.

Every setting is declared here only. The command line and the forms of the app are made from these
classes by ``settings_of``, and values are checked here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from vae_core.settings.choices import (
    BINARY,
    FLOWS,
    Augmentation,
    Binarisation,
    GradientName,
    PrecisionName,
    pixels_as,
)
from vae_core.settings.data_sets import (
    DatasetInfo,
    dataset_called,
    dataset_titles,
    find_dataset,
)
from vae_core.settings.fields import Checked, ConfigError, Setting, checked, setting, settings_of
from vae_core.settings.model_config import ModelConfig

__all__ = ["ConfigError", "ModelConfig", "RunConfig", "TrainConfig", "explain"]

FINAL_LEARNING_RATE = 0.05
"""Share of the learning rate that is left at the end of a cosine schedule."""


@dataclass(frozen=True)
class TrainConfig(Checked):
    """Settings of the training of a model."""

    samples: int = setting(
        1,
        "Samples L",
        "Monte Carlo samples of z per image; more make the gradients less noisy, and slower.",
        bounds=(1, 1000),
    )
    epochs: int = setting(
        20,
        "Epochs",
        "How many times training passes over the training images.",
        bounds=(1, 100_000),
    )
    seed: int = setting(
        0,
        "Seed",
        "The same seed on the same machine gives the same figures.",
        bounds=(0, 2**31 - 1),
        advanced=True,
    )
    batch_size: int = setting(
        128,
        "Batch size",
        "Images per step; larger batches run faster per epoch but take fewer steps.",
        bounds=(1, 65_536),
        advanced=True,
    )
    learning_rate: float = setting(
        2e-3,
        "Learning rate",
        "Adam's first step size; if too large, training diverges, and if too small, it is slow.",
        bounds=(1e-7, 1.0),
        advanced=True,
    )
    schedule: Literal["cosine", "constant"] = setting(
        "cosine",
        "Learning-rate schedule",
        "Cosine lowers the learning rate to a twentieth by the last epoch; constant keeps it.",
        advanced=True,
        titles={"cosine": "Cosine decay", "constant": "Constant"},
    )
    schedule_epochs: int = setting(
        0,
        "Epochs of the schedule",
        "The learning rate and the weight of the KL follow a plan for this many epochs; epochs "
        "beyond it keep their last values. 0 plans for all epochs.",
        bounds=(0, 100_000),
        advanced=True,
    )
    kl_warmup_epochs: int = setting(
        5,
        "KL warm-up epochs",
        "The weight of the KL rises from 0 to β over these epochs (at most a quarter of all), so "
        "that more latent dimensions stay in use.",
        bounds=(0, 10_000),
        advanced=True,
    )
    beta: float = setting(
        1.0,
        "Weight of the KL, β",
        "1 trains the ELBO; more pulls q(z|x) towards the prior (β-VAE), less pulls more weakly.",
        bounds=(0.0, 100.0),
        advanced=True,
    )
    free_bits: float = setting(
        0.0,
        "Free bits (nats)",
        "A batch's mean KL below this value costs nothing, so q(z|x) does not collapse; 0 is off.",
        bounds=(0.0, 1000.0),
        advanced=True,
    )
    iwae_samples: int = setting(
        1,
        "IWAE samples K",
        "Samples inside the logarithm of the bound: 1 is the ELBO, more is the tighter IWAE bound.",
        bounds=(1, 1000),
        advanced=True,
    )
    gradient: GradientName = setting(
        "pathwise",
        "Gradient estimator",
        "How the gradient for q(z|x) is estimated: all methods estimate the same one, with "
        "different noise.",
        advanced=True,
        titles={
            "pathwise": "Pathwise (reparameterised)",
            "sticking-the-landing": "Sticking the landing",
            "dreg": "DReG (for the IWAE)",
            "score-function": "Score function (REINFORCE)",
            "score-function-baseline": "Score function, leave-one-out",
        },
    )
    elbo_form: Literal["kl", "joint"] = setting(
        "kl",
        "Form of the ELBO",
        "Form (4) uses the closed-form KL if the family has one; form (3) samples every term.",
        advanced=True,
        only_if=("gradient", ("pathwise",)),
        titles={"kl": "(4) E log p(x|z) − KL", "joint": "(3) E[log p(x,z) − log q(z|x)]"},
    )
    gradient_clip: float = setting(
        200.0,
        "Gradient clip",
        "Longer gradients are shortened to this norm, against rare bad batches; 0 is off.",
        bounds=(0.0, 1e6),
        advanced=True,
    )
    patience: int = setting(
        0,
        "Early-stop patience",
        "Stop after this many epochs without a better objective on validation images; 0 trains to "
        "the end.",
        bounds=(0, 10_000),
        advanced=True,
    )
    binarisation: Binarisation = setting(
        "dynamic",
        "Binarisation",
        "How grey pixels become 0 or 1; likelihoods of different protocols cannot be compared.",
        advanced=True,
        only_if=("likelihood", BINARY),
        titles={
            "dynamic": "Dynamic: drawn again each time",
            "threshold": "Threshold at 0.5",
            "none": "None: grey values (not a likelihood)",
        },
    )
    augment: Augmentation = setting(
        "none",
        "Augmentation",
        "Training images are mirrored left to right by chance (flip), or moved by up to a "
        "sixteenth of their sides (shift); validation and test images never are.",
        advanced=True,
        titles={"none": "None", "flip": "Flip", "shift": "Shift", "flip-shift": "Flip and shift"},
    )
    importance_every: int = setting(
        5,
        "Epochs between log p(x) estimates",
        "How often log p(x) of validation images is estimated by importance sampling; 0 is never.",
        bounds=(0, 10_000),
        advanced=True,
    )
    precision: PrecisionName = setting(
        "auto",
        "Precision of training",
        "bfloat16 multiplies matrices faster on recent hardware, where auto uses it; figures are "
        "always computed in float32.",
        advanced=True,
        titles={"auto": "Auto", "float32": "float32", "bfloat16": "bfloat16"},
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = setting(
        "auto",
        "Device",
        "Auto uses a CUDA GPU if available, then an Apple GPU, then the processor.",
        advanced=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.gradient == "score-function-baseline" and self.samples < 2:
            raise ConfigError(
                "The leave-one-out baseline compares samples with each other: set L to at least 2."
            )
        if self.iwae_samples > 1 and self.gradient not in ("pathwise", "dreg"):
            raise ConfigError(
                "The IWAE bound (K above 1) needs the pathwise or the DReG gradient; the other "
                "gradients are for the ELBO."
            )

    @property
    def planned_epochs(self) -> int:
        """Number of epochs that the learning rate and the weight of the KL are planned for."""
        return self.schedule_epochs or self.epochs


@dataclass(frozen=True)
class RunConfig(Checked):
    """All settings of a run: the data, the model and the training.

    Attributes:
        kept_info: facts about the data set that the run keeps in its folder, where it does.
    """

    dataset: str = setting(
        "digits",
        "Data set",
        "The images to learn from; the digits need no download, others are downloaded once.",
        titles=dataset_titles,
    )
    title: str = setting(
        "",
        "Name",
        "Name of the run in lists; if empty, the name is made from the settings.",
        placeholder="named by its settings",
    )
    decoder_of: str = setting(
        "",
        "Keep the decoder of",
        "Trains only q(z|x), for the decoder of another model: its name in links, such as "
        "pretrained/digits-full-d2. If empty, both are trained.",
        advanced=True,
        placeholder="none: the decoder is trained too",
    )
    start_from: str = setting(
        "",
        "Start from the weights of",
        "Training begins with the weights of another model instead of random ones: its name in "
        "links, such as pretrained/digits-full-d2. Both must have the same architecture.",
        advanced=True,
        placeholder="none: random weights",
    )
    model: ModelConfig = field(default_factory=lambda: _model_of("digits"))
    train: TrainConfig = TrainConfig()
    kept_info: DatasetInfo | None = field(default=None, repr=False, compare=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        info = self.info
        if info.name != self.dataset:
            raise ConfigError(f"The run keeps facts of {info.name!r}, not of {self.dataset!r}.")
        if self.model.image_shape != info.image_shape:
            raise ConfigError(
                f"{info.title} has images of shape {info.image_shape}, "
                f"the model is for {self.model.image_shape}."
            )
        pixels_as(self.train.binarisation, self.model.likelihood)  # raises if they do not fit
        if self.model.class_head != "none" and not info.classes:
            raise ConfigError(f"{info.title} has no classes, so there can be no class head.")
        if self.model.is_conditional and not info.classes:
            raise ConfigError(
                f"{info.title} has no classes, so a model cannot be conditional on the class."
            )
        if self.decoder_of and self.model.is_conditional:
            raise ConfigError("A model of p(x|y) cannot keep the decoder of another model.")
        if self.decoder_of and self.model.class_head != "none":
            raise ConfigError(
                "A model that keeps a decoder cannot learn a class head, because p(y|z) belongs to "
                "the decoder. Choose no class head, or train the decoder too."
            )

    @property
    def info(self) -> DatasetInfo:
        """Facts about the data set: those that the run keeps, else those of today.

        Raises:
            DataError: if the run keeps none, and the data set does not exist.
        """
        return self.kept_info or find_dataset(self.dataset)

    def to_dict(self) -> dict[str, Any]:
        """Convert to a plain dictionary, ready for JSON, without the facts of the data set."""
        values = super().to_dict()
        del values["kept_info"]
        return values

    def _to_check(self) -> tuple[Setting, ...]:
        """All settings, but not the name of a data set that may be gone."""
        every = settings_of(type(self))
        kept = self.kept_info
        if kept is None or kept.name != self.dataset:
            return every
        return tuple(each for each in every if each.name != "dataset")

    @classmethod
    def from_settings(cls, values: Mapping[str, Any]) -> "RunConfig":
        """Make a config from one flat mapping of setting names to values.

        Without a likelihood or an augmentation in it, the data set decides, if it suggests one. A
        run that starts from the weights of another model has no KL warm-up unless it is given.

        Raises:
            ConfigError: if a name is unknown or a value cannot be used.
        """
        values = dict(values)
        model, train, own = (
            {s.name: values.pop(s.name) for s in settings_of(kind) if s.name in values}
            for kind in (ModelConfig, TrainConfig, RunConfig)
        )
        if values:
            raise ConfigError(f"Unknown setting {min(values)!r}.")
        about = explain("dataset")
        dataset = own.get("dataset", about.default)
        if isinstance(dataset, str) and (found := dataset_called(dataset)):
            own["dataset"] = dataset = found.name  # of today
        suggested = find_dataset(checked(about, dataset)).suggested
        if "likelihood" in suggested and train.get("binarisation", "none") == "none":
            model.setdefault("likelihood", suggested["likelihood"])
        if "likelihood" in suggested:  # a data set of one's own, which no default knows
            later = ((model, ("network", "latent_size")), (train, ("epochs", "augment")))
            for part, names in later:
                part |= {n: suggested[n] for n in names if n in suggested} | part
        if model.get("likelihood", ModelConfig.likelihood) not in BINARY:
            train.setdefault("binarisation", "none")
        if own.get("start_from"):  # a trained model would unlearn its KL during a warm-up
            train.setdefault("kl_warmup_epochs", 0)
        return cls(model=_model_of(dataset, **model), train=TrainConfig(**train), **own)

    def settings(self) -> dict[str, Any]:
        """Return the flat mapping for :meth:`from_settings`."""
        parts = (self, self.model, self.train)
        return {s.name: getattr(part, s.name) for part in parts for s in settings_of(type(part))}

    @property
    def name(self) -> str:
        """The title, or a name made from the most important settings."""
        if self.title:
            return self.title
        steps = f" T={self.model.flow_steps}" if self.model.posterior in FLOWS else ""
        chosen = ("likelihood", "prior")
        changed = [n for n in chosen if getattr(self.model, n) != getattr(ModelConfig, n)]
        unusual = "".join(f" · {getattr(self.model, name)}" for name in changed)
        size = f"d={self.model.latent_size}"
        head = " · p(y|z)" if self.model.class_head != "none" else ""
        given = " · p(x|y)" if self.model.is_conditional else ""
        return f"{self.dataset} · {self.model.posterior}{steps} · {size}{unusual}{head}{given}"

    @property
    def pixels(self) -> str:
        """Description of the pixels that enter the model, in the words of a protocol."""
        return pixels_as(self.train.binarisation, self.model.likelihood)

    @classmethod
    def from_dict(
        cls, values: Mapping[str, Any], kept_info: DatasetInfo | None = None
    ) -> "RunConfig":
        """Make a config from the result of :meth:`to_dict`; unknown keys raise a ConfigError.

        Args:
            kept_info: facts about the data set that the run keeps.
        """
        cls.check_mapping(values)
        values = dict(values)
        if "kept_info" in values:
            raise ConfigError("Unknown setting 'kept_info'.")
        model = ModelConfig.from_dict(values.pop("model", {}))
        train = TrainConfig.from_dict(values.pop("train", {}))
        return super().from_dict({**values, "model": model, "train": train, "kept_info": kept_info})


def _model_of(dataset: str, **settings: Any) -> ModelConfig:
    """Make the model config for the images and classes of a data set."""
    info = find_dataset(dataset)
    classes = max(2, len(info.classes))  # a classifier needs two
    return ModelConfig(image_shape=info.image_shape, classes=classes, **settings)


def explain(name: str) -> Setting:
    """Find the setting called ``name`` in any of the config classes."""
    everything = (s for kind in (RunConfig, ModelConfig, TrainConfig) for s in settings_of(kind))
    return next(s for s in everything if s.name == name)
