import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.integral.spectrum import nyquist_size, spectrum

DOUBLE = torch.float64
some = settings(max_examples=25, deadline=None)


def cosine(n, frequency, height=1.0):
    """`frequency` half periods over n channels."""
    at = (torch.arange(n, dtype=DOUBLE) + 0.5) / n
    return height * torch.cos(math.pi * frequency * at)


@pytest.mark.parametrize("frequency", [1, 3, 15])
def test_a_cosine_has_one_frequency(frequency):
    # n/2 is the sum of squares of a cosine over n middles.
    energies = spectrum(cosine(16, frequency)[:, None])
    expected = torch.zeros(16, dtype=DOUBLE)
    expected[frequency] = 8
    torch.testing.assert_close(energies, expected, rtol=0, atol=1e-12)


def test_a_constant_is_its_mean():
    energies = spectrum(torch.full((9, 2), 3.0))
    assert energies.tolist() == pytest.approx([9 * 2 * 9] + [0] * 8, abs=1e-12)


@some
@given(st.integers(1, 20), st.integers(0, 99))
def test_energies_add_up_to_the_squares(n, seed):
    channels = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)
    assert spectrum(channels).sum().item() == pytest.approx(channels.square().sum().item())


def test_the_mirrored_continuation_has_no_jump():
    # A ramp: nine tenths and more of what varies is at frequency 1 (96 / pi^4 = 98.6 %); repeated, it would jump.
    energies = spectrum(torch.linspace(0, 1, 64, dtype=DOUBLE)[:, None])[1:]
    assert float(energies[0] / energies.sum()) == pytest.approx(96 / math.pi**4, abs=1e-3)


@pytest.mark.parametrize("frequency", [1, 2, 7, 15])
def test_a_cosine_needs_one_sample_more_than_half_periods(frequency):
    assert nyquist_size(cosine(16, frequency)[:, None], 1.0) == frequency + 1


def test_the_mean_does_not_count():
    assert nyquist_size(1e3 + cosine(16, 5)[:, None], 0.99) == 6


def test_constants_need_one_sample():
    assert nyquist_size(torch.full((16, 3), 2.7), 1.0) == 1
    assert nyquist_size(torch.zeros(4, 3), 0.5) == 1
    assert nyquist_size(torch.rand(1, 3), 1.0) == 1


@pytest.mark.parametrize(("kept", "size"), [(0.8, 3), (0.81, 11), (1.0, 11)])
def test_the_share_that_is_kept(kept, size):
    # Energies 4 : 1 at the frequencies 2 and 10.
    channels = torch.stack([cosine(32, 2, 2.0), cosine(32, 10, 1.0)], dim=1)
    assert nyquist_size(channels, kept) == size


@some
@given(st.integers(1, 20), st.integers(0, 99), st.floats(0.01, 1))
def test_the_size_is_one_of_the_group(n, seed, kept):
    channels = torch.randn(n, 4, generator=torch.Generator().manual_seed(seed))
    assert 1 <= nyquist_size(channels, kept) <= n


@pytest.mark.parametrize("kept", [0.0, 1.1, float("nan")])
def test_a_share_that_is_none(kept):
    with pytest.raises(ValueError, match="energy_kept"):
        nyquist_size(torch.rand(4, 2), kept)
