"""2x2 average pooling has the bits of torch's, forwards, backwards and twice backwards."""

import pytest
import torch
from torch import nn

from ddbench.evaluators import pooling
from ddbench.evaluators.networks import ConvNet
from ddbench.evaluators.pooling import HalvingPool

SHAPES = [(3, 2, 8, 8), (2, 3, 4, 2), (2, 1, 8, 8), (2, 1, 6, 10), (1, 3, 7, 8), (2, 2, 5, 5), (0, 2, 4, 4)]
"""odd sides and an empty batch among them"""


@pytest.fixture(autouse=True)
def _from_the_first_value(monkeypatch):
    monkeypatch.setattr(pooling, "LEAST_VALUES", 0)


def values(shape, seed=0):
    """Numbers of many sizes, with zeros of both signs, numbers so small that a quarter is none, and infinities."""
    random = torch.Generator().manual_seed(seed)
    x = torch.randn(shape, generator=random) * 10 ** torch.randint(-6, 6, shape, generator=random).float()
    kinds = torch.randint(0, 30, shape, generator=random)
    for kind, value in enumerate((0.0, -0.0, 1e-45, -1e-45, float("inf"))):
        x[kinds == kind] = value
    x[:1, :, :2] = -0.0  # whole squares
    return x


def bits(x):
    """The bytes of numbers; those of a NaN are no number's."""
    return torch.where(x.isnan(), torch.nan, x).contiguous().view(torch.int32)


def three(pool, x, gradient, further):
    """The pooled ``x``, the gradient by it, and the gradient of that by the gradient that it was given."""
    x, gradient = x.clone().requires_grad_(True), gradient.clone().requires_grad_(True)
    pooled = pool(x)
    (by_x,) = torch.autograd.grad(pooled, x, gradient, create_graph=True)
    return pooled, by_x, torch.autograd.grad(by_x, gradient, further)[0]


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_bits_are_those_of_torch(shape, layout):
    x = values(shape).contiguous(memory_format=layout)
    plain = nn.AvgPool2d(2)
    given = (values(plain(x).shape, 1), values(shape, 2))
    for mine, torchs in zip(three(HalvingPool(), x, *given), three(plain, x, *given), strict=True):
        assert (mine.shape, mine.stride()) == (torchs.shape, torchs.stride())
        assert torch.equal(bits(mine.detach()), bits(torchs.detach()))


def test_half_precision_is_torchs_own():
    x = values((2, 2, 4, 4)).bfloat16()
    assert torch.equal(HalvingPool()(x).nan_to_num(), nn.AvgPool2d(2)(x).nan_to_num())


def test_a_network_trains_to_the_same_bits():
    def trained(pool):
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = ConvNet(2, 4)((1, 8, 8), 3)
            x = torch.rand(6, 1, 8, 8)
        for i, layer in enumerate(net.body):
            if isinstance(layer, nn.AvgPool2d):
                net.body[i] = pool
        optimiser = torch.optim.SGD(net.parameters(), lr=0.1)
        for _ in range(3):
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x), torch.arange(6) % 3).backward()
            optimiser.step()
        return torch.cat([p.detach().flatten() for p in net.parameters()])

    assert torch.equal(bits(trained(HalvingPool())), bits(trained(nn.AvgPool2d(2))))


@pytest.mark.parametrize("dimension", [0, 2])
def test_gradients_of_each_image_and_along_a_direction_have_the_bits_of_torchs(dimension):
    x, along = torch.rand(5, 1, 2, 4, 6), torch.rand(1, 2, 4, 6)
    found = {}
    for pool in (HalvingPool(), nn.AvgPool2d(2)):

        def length(image, pool=pool):
            return (pool(image) ** 3).sum()

        each = torch.func.vmap(torch.func.grad(length), in_dims=dimension)(x.movedim(0, dimension))
        twice = torch.func.grad(lambda image: torch.func.grad(length)(image).square().sum())(x[0])
        found[type(pool)] = [each, twice, *torch.func.jvp(pool, (x[0],), (along,))]
    for mine, torchs in zip(*found.values(), strict=True):
        assert torch.equal(bits(mine), bits(torchs))
