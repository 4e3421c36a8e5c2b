"""The example of docs/examples: distances by hand, and a training of few steps."""

import pytest
import torch

EXAMPLE = "train_gan"


@pytest.fixture(scope="module")
def trained(example):
    real, _ = example.digits()
    return {way: example.train(real, 3, by_algorithm_1=drawn, seed=0) for way, drawn in example.WAYS.items()}


@pytest.mark.parametrize("asked", ["--seeds", "--steps"])
def test_nothing_to_train_is_refused(example, asked, capsys):
    with pytest.raises(SystemExit):
        example.main([asked, "0"])
    assert "are 1 or more" in capsys.readouterr().err


def test_the_distance_of_normal_distributions_by_hand(example):
    generator = torch.Generator().manual_seed(0)
    first = torch.randn(4000, 3, generator=generator, dtype=torch.float64)
    first = (first - first.mean(0)) @ torch.linalg.cholesky(torch.cov(first.T)).inverse().T  # exactly standard
    shift, scale = torch.tensor([3.0, 0.0, -4.0]), torch.tensor([2.0, 1.0, 0.5])
    # |shift|^2 + sum of (1 + s^2 - 2 s) = 25 + 1 + 0 + 0.25
    assert example.frechet_distance(first, first * scale + shift) == pytest.approx(26.25)
    assert example.frechet_distance(first, first) == pytest.approx(0, abs=1e-9)


def test_only_algorithm_1_draws_sizes(example, trained):
    full = trained["at full size"].network
    assert full.sizes == full.channel_map.widths()
    drawn = trained["by Algorithm 1"].network
    assert drawn.sizes != drawn.channel_map.widths()


def test_changing_sizes_change_the_losses_from_the_first_step(trained):
    first, second = trained.values()
    assert first.generator_losses[0] != second.generator_losses[0]
    assert len(first.generator_losses) == len(first.discriminator_losses) == 3
    assert all(0 < loss < 10 for each in (first, second) for loss in each.generator_losses)


def test_a_generator_makes_digits_at_every_size(example, trained):
    for size in example.SIZES:
        made = example.generate(trained["by Algorithm 1"].network, size, 6)
        assert made.shape == (6, 1, 8, 8)
        assert made.abs().max() <= 1


def test_it_draws_its_picture(example, trained, tmp_path, monkeypatch):
    monkeypatch.setattr(example, "SMOOTHED", 1)
    example.draw({way: [each] for way, each in trained.items()}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
