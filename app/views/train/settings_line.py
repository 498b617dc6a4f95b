"""One line with the settings of a run that are not the default and not in its name."""

from vae_core.settings.config import ModelConfig, RunConfig, TrainConfig
from vae_core.settings.data_sets import dataset_called
from vae_core.settings.fields import Setting, settings_of

_SAID_ELSEWHERE = {"title", "dataset", "start_from", "schedule_epochs"}
_IN_NAMES = {"posterior", "flow_steps", "latent_size", "likelihood", "prior", "class_head"}


def settings_line(config: RunConfig) -> str:
    """List the settings that differ from what a new run on the data set begins with."""
    own, usual = config.settings(), _usual(config)
    hidden = _SAID_ELSEWHERE | (set() if config.title else _IN_NAMES)
    return " · ".join(
        f"{about.label}: {_shown(about, own[about.name])}"
        for kind in (RunConfig, ModelConfig, TrainConfig)
        for about in settings_of(kind)
        if about.name not in hidden and own[about.name] != usual[about.name]
        if about.only_if is None or own[about.only_if[0]] in about.only_if[1]
    )


def _usual(config: RunConfig) -> dict[str, object]:
    known = dataset_called(config.dataset)
    start = {"start_from": config.start_from}
    if known is None:  # removed since
        return RunConfig.from_settings(start).settings()
    return RunConfig.from_settings({"dataset": known.name, **start}).settings()


def _shown(about: Setting, value: object) -> str:
    if isinstance(value, str):
        return about.titles.get(value, value) if about.choices else value
    return f"{value:,}" if isinstance(value, int) else f"{value:g}"
