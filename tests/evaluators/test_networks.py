"""Stems and initial weights of the ResNets of IDC and Minimax, and the versions under which networks are recorded."""

import pytest
import torch
from torch import nn

from ddbench.config.addresses import addresses_of, class_of, name_of, version_of
from ddbench.config.values import build, describe
from ddbench.evaluators.networks import ConvNet, ResNet18, ResNetAP10

STEMS = {
    # side: (kernel, stride, pooling and its output) of ResNet-18, then of ResNetAP-10
    64: ((3, 1, None, 64), (3, 1, None, 64)),
    65: ((3, 1, nn.MaxPool2d(3, 2, 1), 33), (3, 1, nn.AvgPool2d(2), 32)),
    80: ((3, 1, nn.MaxPool2d(3, 2, 1), 40), (3, 1, nn.AvgPool2d(2), 40)),
    128: ((3, 1, nn.MaxPool2d(3, 2, 1), 64), (3, 1, nn.AvgPool2d(2), 64)),
    129: ((7, 2, nn.MaxPool2d(3, 2, 1), 33), (7, 1, nn.AvgPool2d(4), 32)),
    224: ((7, 2, nn.MaxPool2d(3, 2, 1), 56), (7, 1, nn.AvgPool2d(4), 56)),
}
"""as IntroBlock of Minimax's resnet.py and resnet_ap.py has them"""


def stem_of(net):
    """The layers before the first block."""
    layers = list(net.stem) if hasattr(net, "stem") else list(net.body)
    first = next((i for i, layer in enumerate(layers) if hasattr(layer, "residual")), len(layers))
    return layers[:first]


@pytest.mark.parametrize("side", STEMS)
@pytest.mark.parametrize("which", [0, 1], ids=["resnet18", "resnetap10"])
def test_the_stem_depends_on_the_side_as_in_idc_and_minimax(side, which):
    kernel, stride, pooling, out = STEMS[side][which]
    convolution, norm, relu, *rest = stem_of((ResNet18(), ResNetAP10())[which]((3, side, side), 10))
    assert (convolution.kernel_size, convolution.stride) == ((kernel, kernel), (stride, stride))
    assert convolution.padding == (kernel // 2, kernel // 2)
    assert (norm.num_groups, convolution.bias) == (64, None)
    assert [str(layer) for layer in rest] == ([str(pooling)] if pooling else [])
    x = torch.zeros(1, 3, side, side)
    assert nn.Sequential(convolution, norm, relu, *rest)(x).shape == (1, 64, out, out)


@pytest.mark.parametrize("network", [ResNet18(), ResNetAP10()])
def test_every_convolution_starts_from_hes_normal_distribution_with_fan_out(network):
    """Standard deviation sqrt(2 / (k * k * out)) and mean 0 for all of them, norms 1 and 0. Of n normal draws the
    sample deviation has the relative error 1 / sqrt(2 n): five of these are allowed."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = network((3, 80, 80), 10)
    convolutions = [m for m in net.modules() if isinstance(m, nn.Conv2d)]
    assert len(convolutions) == (20 if network == ResNet18() else 12)
    for layer in convolutions:
        weight, sd = layer.weight.detach(), (2 / (layer.kernel_size[0] ** 2 * layer.out_channels)) ** 0.5
        assert weight.std().item() == pytest.approx(sd, rel=5 / (2 * weight.numel()) ** 0.5)
        assert weight.mean().abs() < 5 * sd / weight.numel() ** 0.5
        assert weight.abs().max() > 2.5 * sd  # torch's default is uniform: never beyond sqrt(3) deviations
    norms = [m for m in net.modules() if isinstance(m, nn.GroupNorm)]
    assert all((norm.weight == 1).all() and (norm.bias == 0).all() for norm in norms)


def test_torchs_own_start_is_an_option_of_resnet18():
    """As VICO has it: uniform within 1 / sqrt(fan_in)."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ResNet18(init="torch")((3, 32, 32), 10)
    for layer in (m for m in net.modules() if isinstance(m, nn.Conv2d)):
        assert layer.weight.abs().max() <= (layer.in_channels * layer.kernel_size[0] ** 2) ** -0.5


def test_a_convnet_starts_from_torchs_default():
    """As VICO and Minimax have it: weights and biases uniform within 1 / sqrt(fan_in), close to it at the largest."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = ConvNet(depth=3)((3, 32, 32), 10)
    layers = [m for m in net.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    assert len(layers) == 4
    for layer in layers:
        bound = layer.weight[0].numel() ** -0.5
        assert 0.99 * bound < layer.weight.abs().max() <= bound
        assert 0 < layer.bias.abs().max() <= bound


def test_a_version_above_one_is_part_of_the_name_in_keys_and_records():
    assert (version_of(ResNet18), version_of(ResNetAP10), version_of(ConvNet)) == (2, 2, 1)
    assert name_of(ConvNet) == "ddbench:ConvNet"
    described = describe(ResNet18())
    assert described["type"] == "ddbench:ResNet18@2"
    assert build(described, addresses_of(ResNet18())) == ResNet18()


def test_a_class_is_found_by_the_name_of_an_earlier_or_later_version():
    for name in ("ddbench:ResNet18", "ddbench:ResNet18@2", "ddbench:ResNet18@7"):
        assert class_of(name, {}) is ResNet18
