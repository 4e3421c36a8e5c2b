import shutil

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import transforms

from jobs.errors import BadInputError
from workers.data import batches, load_dataset


def write(path, *, value=255, height=8, width=12):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (width, height), (value, value, value)).save(path)


@pytest.fixture
def root(tmp_path):
    for number in range(10):
        write(tmp_path / "train" / "ant" / f"{number}.png", value=0)
        write(tmp_path / "train" / "bee" / f"{number}.JPEG")
    write(tmp_path / "val" / "bee" / "0.jpg")
    (tmp_path / "train" / "ant" / "notes.txt").write_text("not an image")
    return tmp_path


def test_images_are_squares_of_the_size_asked_for_with_their_folders_class(root):
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    images, labels = next(batches(data.train, 100))
    assert images.shape == (18, 3, 4, 4)
    assert labels.tolist() == [0] * 9 + [1] * 9
    assert images.amax(dim=(1, 2, 3)).tolist() == labels.tolist()  # ants are black, bees white
    assert (data.num_classes, data.input_shape) == (2, (3, 4, 4))


def test_a_lone_val_is_the_test_split_and_every_tenth_training_image_validates(root):
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    assert data.test.targets.tolist() == [1]
    assert data.validation.targets.tolist() == [0, 1]  # images 9 and 19 of twenty


def test_val_and_test_are_kept_apart_when_both_are_there(root):
    write(root / "test" / "ant" / "0.png")
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    assert (data.validation.targets.tolist(), data.test.targets.tolist()) == ([1], [0])
    assert len(data.train) == 20


def test_the_middle_is_cut_out_after_resizing(root):
    # 8 x 12 with a white column at each end: shorter side 8 kept, the middle 4 x 4 is all black.
    image = Image.new("RGB", (12, 8))
    for column in (0, 11):
        image.paste((255, 255, 255), (column, 0, column + 1, 8))
    image.save(root / "val" / "bee" / "0.jpg", format="png")
    data = load_dataset("imagefolder", str(root), arguments={"size": 4, "resize": 8})
    assert data.test.images[0].max() == 0


def test_lazy_images_are_normalised_as_they_are_read(root):
    normalize = ([0.5] * 3, [0.25] * 3)
    data = load_dataset("imagefolder", str(root), normalize=normalize, arguments={"size": 4})
    assert data.test.images[0].unique().tolist() == [2]  # (1 - 0.5) / 0.25


def test_a_damaged_image_is_named_when_it_is_read(root):
    (root / "val" / "bee" / "0.jpg").write_bytes(b"not a picture")
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    with pytest.raises(BadInputError, match=r"0\.jpg: cannot be read as an image"):
        next(batches(data.test, 1))


def test_16_bits_in_grey_are_refused_which_would_be_white(root):
    Image.fromarray(np.full((8, 8), 400, dtype=np.uint16)).save(root / "val" / "bee" / "0.jpg", format="png")
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    with pytest.raises(BadInputError, match=r"0\.jpg: has 16 bits per channel or more; 8 are needed: convert it"):
        next(batches(data.test, 1))


@pytest.mark.parametrize("content", [b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n", b"BM"])
def test_only_png_and_jpeg_are_decoded_whatever_a_file_is_called(root, content):
    # Pillow hands PostScript to Ghostscript, a language that can do anything.
    (root / "val" / "bee" / "0.jpg").write_bytes(content)
    data = load_dataset("imagefolder", str(root), arguments={"size": 4})
    with pytest.raises(BadInputError, match=r"0\.jpg: cannot be read as an image \(cannot identify"):
        next(batches(data.test, 1))


def test_so_few_pictures_that_none_would_validate_are_refused_before_they_are_used(root):
    shutil.rmtree(root / "train" / "ant")
    (root / "train" / "bee" / "0.JPEG").unlink()
    with pytest.raises(BadInputError, match="'imagefolder': validation is empty: every tenth of 9 training samples"):
        load_dataset("imagefolder", str(root), arguments={"size": 4})


@pytest.mark.parametrize("name", ["0.webp", "0.bmp", "0.TIF"])
@pytest.mark.parametrize("folder", ["train/ant", "val/bee"])
def test_pictures_that_would_be_left_out_are_refused(root, folder, name):
    write(root / folder / name)
    with pytest.raises(BadInputError, match=rf"{folder}/{name}: images are read from .*, and 1 in .*convert them"):
        load_dataset("imagefolder", str(root))


def test_a_class_without_pictures_to_train_on_is_refused(root):
    (root / "train" / "cow").mkdir()
    with pytest.raises(BadInputError, match=r"train/cow has no pictures, and would count as a class; put \.png"):
        load_dataset("imagefolder", str(root))


def test_a_class_that_train_lacks_is_named(root):
    write(root / "val" / "cat" / "0.png")
    with pytest.raises(BadInputError, match="classes that train/ lacks: cat"):
        load_dataset("imagefolder", str(root))


def test_a_class_that_is_a_link_out_of_the_root_is_refused(root, tmp_path_factory):
    (root / "train" / "cow").symlink_to(tmp_path_factory.mktemp("elsewhere"))
    with pytest.raises(BadInputError, match=r"cow is a link to a folder outside of"):
        load_dataset("imagefolder", str(root))


def test_a_folder_of_another_layout_is_told_the_right_one(tmp_path):
    (tmp_path / "pictures").mkdir()
    with pytest.raises(BadInputError, match=r"expected under .*train/CLASS/\*\.png\|jpg\|jpeg"):
        load_dataset("imagefolder", str(tmp_path))


def test_a_size_above_the_resized_side_is_refused(root):
    with pytest.raises(BadInputError, match="1 <= size <= resize"):
        load_dataset("imagefolder", str(root), arguments={"size": 8, "resize": 4})


@pytest.mark.parametrize(("width", "height"), [(31, 20), (20, 31), (9, 9)])
def test_images_come_out_as_torchvision_prepares_them(root, width, height):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = Image.fromarray(pixels)
    image.save(root / "val" / "bee" / "0.jpg", format="png")
    ours = load_dataset("imagefolder", str(root), arguments={"size": 11, "resize": 14}).test.images[0]
    theirs = transforms.Compose([transforms.Resize(14), transforms.CenterCrop(11), transforms.ToTensor()])(image)
    assert torch.equal(ours, theirs)
