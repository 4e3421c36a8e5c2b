import hashlib

import torch

from workers.data import load_dataset


def test_splits_have_the_sizes_promised_and_share_no_image():
    data = load_dataset("digits")
    assert [len(data.train), len(data.validation), len(data.test)] == [1_000, 200, 597]
    assert data.input_shape == (1, 8, 8)
    images = torch.cat([data.train.images, data.validation.images, data.test.images])
    # 1,797 different scans, all different already in the source.
    assert len(torch.unique(images.flatten(1), dim=0)) == 1_797


def test_pixels_are_scaled_from_16_to_1():
    images = load_dataset("digits").train.images
    assert images.dtype == torch.float32
    assert (images.min(), images.max()) == (0, 1)
    assert torch.equal(images * 16, (images * 16).round())


def test_every_split_has_the_classes_in_proportion():
    data = load_dataset("digits")
    counts = {name: torch.bincount(getattr(data, name).targets) for name in ("train", "validation", "test")}
    whole = sum(counts.values())
    for name, count in counts.items():
        share = len(getattr(data, name)) / 1_797
        assert (count - whole * share).abs().max() < 2, name


def test_the_split_never_changes():
    # Results are comparable between versions only while every image stays in its split: the digest as first published.
    data = load_dataset("digits")
    pixels = data.train.images.numpy().tobytes() + data.test.images.numpy().tobytes()
    assert hashlib.sha256(pixels).hexdigest()[:16] == "8594ce2b52cb3eaf"
