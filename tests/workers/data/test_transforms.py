import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional
from torchvision import transforms as v1
from torchvision.transforms import v2

from jobs.errors import BadInputError
from jobs.spec.augment import TransformSpec
from workers.data import ImageData, Split, load_dataset
from workers.data.feed import Feed
from workers.data.seeding import drawing_from, seed_of
from workers.objectives.classification import objective

PIXELS = torch.randint(256, (8, 3, 12, 10), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)
CLASSES = torch.arange(8) % 4


def held(pixels=PIXELS, **settings):
    split = Split(images=pixels / 255, targets=CLASSES)
    shape = tuple(pixels.shape[1:])
    return ImageData(train=split, validation=split, test=split, input_shape=shape, **{"num_classes": 4, **settings})


def augmented(data, augment, *, seed=3):
    """The first batch of a training."""
    steps = tuple(each if isinstance(each, str) else TransformSpec.model_validate(each) for each in augment)
    feed = Feed(data.train, objective().pipeline(steps, data), device="cpu")
    images, targets = next(feed.batches(torch.arange(len(feed)), len(feed), seed=seed))
    return feed.augment(images, targets, torch.Generator().manual_seed(seed))


@pytest.fixture
def photos(tmp_path):
    """A folder of pictures of 40 x 30, twenty of them to train on."""
    generator = np.random.default_rng(0)
    for part, count in (("train", 20), ("val", 1), ("test", 1)):
        (tmp_path / part / "a").mkdir(parents=True)
        for number in range(count):
            image = Image.fromarray(generator.integers(0, 256, (30, 40, 3), dtype=np.uint8))
            image.save(tmp_path / part / "a" / f"{number:02}.png")
    return tmp_path


@pytest.mark.parametrize("normalize", [None, ([0.4, 0.5, 0.6], [0.2, 0.3, 0.4])])
def test_random_resized_crops_are_torchvisions_of_whole_pictures(photos, normalize):
    data = load_dataset("imagefolder", str(photos), arguments={"size": 8}, normalize=normalize)
    images, _ = augmented(data, [{"random_resized_crop": {"scale": [0.2, 0.9]}}], seed=3)
    statistics = normalize or ([0.0] * 3, [1.0] * 3)
    pipeline = [v1.RandomResizedCrop(8, scale=(0.2, 0.9)), v1.ToTensor(), v1.Normalize(*statistics)]
    for number in (0, 19):
        torch.manual_seed(seed_of(3, number))
        expected = v1.Compose(pipeline)(Image.open(photos / "train" / "a" / f"{number:02}.png"))
        torch.testing.assert_close(images[number], expected, rtol=0, atol=1e-6)


def test_crops_of_a_selection_are_of_its_pictures(photos):
    shutil.rmtree(photos / "val")
    data = load_dataset("imagefolder", str(photos), arguments={"size": 30})  # every tenth picture validates
    whole, _ = augmented(data, [{"random_resized_crop": {"scale": [1, 1], "ratio": [4 / 3, 4 / 3]}}])
    assert len(whole) == 18
    picture = Image.open(photos / "train" / "a" / "10.png").resize((30, 30), Image.Resampling.BILINEAR)
    assert torch.equal(whole[9], v1.ToTensor()(picture))


def test_images_in_memory_have_no_picture_to_cut():
    with pytest.raises(BadInputError, match="has images of one size; take resized-crop-flip"):
        augmented(held(), [{"random_resized_crop": {}}])


@pytest.mark.parametrize("normalized", [None, ((0.4, 0.5, 0.6), (0.2, 0.3, 0.4))])
def test_randaugment_is_torchvisions_on_the_bytes_of_each_image(normalized):
    shift, scale = (torch.tensor(each).view(-1, 1, 1) for each in normalized or ([0.0] * 3, [1.0] * 3))
    split = Split(images=(PIXELS / 255 - shift) / scale, targets=CLASSES)
    data = ImageData(train=split, validation=split, test=split, input_shape=(3, 12, 10), normalized=normalized)
    images, classes = augmented(data, [{"randaugment": {"num_ops": 3, "magnitude": 20}}])
    assert torch.equal(classes, CLASSES)
    for number, pixels in enumerate(PIXELS):
        torch.manual_seed(seed_of(3, number))
        changed = v2.RandAugment(3, 20)(v2.functional.to_pil_image(pixels))
        expected = (v2.functional.pil_to_tensor(changed) / 255 - shift) / scale
        torch.testing.assert_close(images[number], expected, rtol=0, atol=1e-5)


def test_each_image_loses_a_rectangle_of_its_own():
    images, _ = augmented(held(PIXELS.clamp_min(1)), [{"random_erasing": {"probability": 1.0}}])
    erased = (images == 0).all(1).flatten(1)
    parts = erased.float().mean(1)
    assert parts.min() > 0  # of 2 to 33 % of the area, with sides of whole pixels
    assert parts.max() < 0.4
    assert len({tuple(each.tolist()) for each in erased}) > 1


@pytest.mark.parametrize(("name", "theirs"), [("mixup", v2.MixUp), ("cutmix", v2.CutMix)])
def test_batches_are_mixed_as_torchvision_mixes_them(name, theirs):
    before = torch.get_rng_state()
    images, targets = augmented(held(), [{name: {"alpha": 0.7}}])
    assert torch.equal(torch.get_rng_state(), before)
    with drawing_from(torch.Generator().manual_seed(3)):
        expected, probabilities = theirs(alpha=0.7, num_classes=4)(PIXELS / 255, CLASSES)
    assert torch.equal(images, expected)
    assert torch.equal(targets, probabilities)


def test_the_loss_of_mixed_targets_is_the_mean_of_the_losses_by_weight():
    _, targets = augmented(held(), [{"mixup": {"alpha": 1.0}}])
    logits, weight = torch.rand(8, 4, generator=torch.Generator().manual_seed(1)), targets[0, 0]
    objective().check(logits, targets)
    own, others = (functional.cross_entropy(logits, classes) for classes in (CLASSES, CLASSES.roll(1)))
    torch.testing.assert_close(objective().loss(logits, targets), weight * own + (1 - weight) * others)


def test_one_follows_the_other_in_the_order_given():
    randaugment, mixup = (TransformSpec.model_validate({name: {}}) for name in ("randaugment", "mixup"))
    steps = objective().pipeline(("crop-flip", randaugment, "flip", mixup), held())
    assert steps.names == ("crop-flip", "randaugment", "flip", "mixup")
    assert (len(steps.single), len(steps.batch)) == (3, 1)
    in_batches = objective().pipeline(("crop-flip", mixup, "flip"), held())
    assert (len(in_batches.single), len(in_batches.batch)) == (0, 3)
    assert objective().pipeline("none", held()).names == ()
    images, targets = augmented(held(), ["crop-flip", {"randaugment": {}}, {"mixup": {}}, {"cutmix": {}}])
    assert images.shape == PIXELS.shape
    torch.testing.assert_close(targets.sum(1), torch.ones(8))


def test_what_does_not_suit_the_data_is_refused():
    with pytest.raises(BadInputError, match="mixup mixes classes, and the data has none"):
        augmented(held(num_classes=None), [{"mixup": {}}])
    with pytest.raises(BadInputError, match="1 or 3 channels, and the data has 2"):
        augmented(held(PIXELS[:, :2]), [{"randaugment": {}}])
