"""Instance normalisation and reflection padding: the ways of a CPU and those of a GPU are one function."""

import pytest
import torch

from viceversa.networks.layers import InstanceNorm, ReflectionPad

WAYS = ("__call__", "by_batch_norm", "by_mean_and_variance")


def with_gradient(function, x, given):
    x = x.clone().requires_grad_()
    y = function(x)
    y.backward(given.to(y.dtype))
    return y.detach().double(), x.grad.double()


def exact(x):
    """In float64."""
    x = x.double()
    variance, mean = torch.var_mean(x, (2, 3), correction=0, keepdim=True)
    return (x - mean) * torch.rsqrt(variance + 1e-5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_all_ways_are_one_function_and_keep_the_layout(way, layout):
    x = torch.randn(3, 4, 9, 8, dtype=torch.float64).add(2).to(memory_format=layout)
    given = torch.randn_like(x)
    y, gradient = with_gradient(getattr(InstanceNorm(4), way), x, given)
    wanted, wanted_gradient = with_gradient(exact, x, given)
    torch.testing.assert_close(y, wanted)
    torch.testing.assert_close(gradient, wanted_gradient)
    assert y.is_contiguous(memory_format=layout)


@pytest.mark.parametrize("way", WAYS)
def test_statistics_are_float32_in_bfloat16(way):
    """A mean of ten standard deviations is rounded to a fiftieth of one in bfloat16: the gradient would be off."""
    x = (torch.randn(2, 8, 64, 64) + 10).bfloat16()
    given = torch.randn_like(x)
    y, gradient = with_gradient(getattr(InstanceNorm(8), way), x, given)
    wanted, wanted_gradient = with_gradient(exact, x, given)
    assert (gradient - wanted_gradient).norm() < 1e-4 * wanted_gradient.norm()
    assert (y - wanted).mean((2, 3)).abs().max() < 4e-3


def test_a_penalty_differentiates_twice():
    x = torch.randn(2, 3, 5, 5, dtype=torch.float64, requires_grad=True)
    for way in WAYS:
        assert torch.autograd.gradgradcheck(getattr(InstanceNorm(3), way), x[:1].detach().requires_grad_())


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_reflection_padding_by_slices_is_torchs_own(layout):
    x = torch.randn(2, 3, 6, 7).to(memory_format=layout)
    padded = ReflectionPad(2).by_slices(x)
    assert torch.equal(padded, ReflectionPad(2)(x))
    assert padded.is_contiguous(memory_format=layout)
