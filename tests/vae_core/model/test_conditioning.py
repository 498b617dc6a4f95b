"""A model that is conditional on the class."""

import pytest
import torch

from vae_core.basics.errors import InvalidArgument
from vae_core.model.conditioning import NeedsClass
from vae_core.model.vae import VAE
from vae_core.settings.config import ModelConfig, RunConfig
from vae_core.settings.fields import ConfigError

NETWORKS = ("mlp", "conv", "linear")


def _model(network: str = "mlp") -> VAE:
    torch.manual_seed(0)
    config = ModelConfig(
        conditioning="class",
        network=network,  # type: ignore[arg-type]
        image_shape=(1, 8, 8),
        classes=3,
        hidden_size=8,
        channels=2,
    )
    return VAE(config).eval()


@pytest.mark.parametrize("network", NETWORKS)
def test_classes_of_a_batch_give_what_each_class_alone_gives(network):
    model, x = _model(network), torch.rand(3, 1, 8, 8)
    z = torch.randn(5, 3, 2)
    together = model.given(torch.tensor([2, 0, 1]))
    mean = together.posterior(x).moments(1)[0]
    decoded = together.decode(z)
    for image, y in enumerate((2, 0, 1)):
        alone = model.given(y)
        own = alone.posterior(x[image : image + 1]).moments(1)[0]
        torch.testing.assert_close(mean[image : image + 1], own)
        torch.testing.assert_close(decoded[:, image], alone.decode(z[:, image]))


@pytest.mark.parametrize("network", NETWORKS)
def test_the_jacobian_is_by_latents_alone(network):
    model = _model(network).double().given(1)
    z = torch.randn(2, 2, dtype=torch.float64)
    outputs, columns = model.decode_with_jacobian(z)
    torch.testing.assert_close(outputs, model.decode(z))
    for image in range(2):
        exact = torch.autograd.functional.jacobian(model.decode, z[image])
        torch.testing.assert_close(columns[image].T, exact)


def test_without_a_class_the_model_refuses():
    model = _model()
    with pytest.raises(NeedsClass, match="conditional on the class"):
        model.posterior(torch.rand(1, 1, 8, 8))
    with pytest.raises(NeedsClass):
        model.decode(torch.zeros(1, 2))


def test_other_images_than_labels_are_refused():
    with pytest.raises(InvalidArgument, match="2 classes for 4 images"):
        _model().given(torch.tensor([0, 1])).posterior(torch.rand(4, 1, 8, 8))


def test_a_class_that_does_not_exist_is_refused():
    with pytest.raises(InvalidArgument, match="from 0 to 2"):
        _model().given(3)


def test_a_model_without_classes_takes_none():
    with pytest.raises(InvalidArgument, match="not conditional"):
        VAE(ModelConfig()).given(0)


def test_given_shares_the_weights():
    model = _model()
    view = model.given(0)
    with torch.no_grad():
        for weight in model.parameters():
            weight.zero_()
    assert all((weight == 0).all() for weight in view.parameters())


def test_old_settings_open_without_a_condition():
    values = RunConfig().to_dict()
    del values["model"]["conditioning"]
    assert not RunConfig.from_dict(values).model.is_conditional


@pytest.mark.parametrize("more", [{"class_head": "mlp"}, {"network": "corrected-linear"}])
def test_settings_that_do_not_fit_a_condition_are_refused(more):
    with pytest.raises(ConfigError):
        ModelConfig(conditioning="class", **more)


def test_samples_are_of_classes_by_their_shares():
    model = _model()
    model.set_class_prior(torch.tensor([1, 1, 1]))
    generator = torch.Generator().manual_seed(0)
    images = model.sample(4, generator)
    z = model.prior.sample((4,), torch.Generator().manual_seed(0))
    torch.testing.assert_close(images, model.given(1).mean_image(z))
