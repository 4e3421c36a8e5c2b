import numpy as np
import pytest
import torch
from PIL import Image

from jobs.errors import BadInputError
from workers.data import batches, forget_data, load_dataset
from workers.data.image_files import read_rgb
from workers.data.image_pairs import CACHE_FOLDER
from workers.data.resize import enlarge, luma, shrink


def write(path, height=14, width=17, *, value=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    drawn = np.random.default_rng(list(str(path.name).encode())).integers(0, 256, (height, width, 3), dtype=np.uint8)
    Image.fromarray(drawn if value is None else np.full_like(drawn, value)).save(path)


@pytest.fixture(autouse=True)
def _fresh(tmp_path, monkeypatch):
    monkeypatch.setenv(CACHE_FOLDER, str(tmp_path / "cache"))
    forget_data()


@pytest.fixture
def root(tmp_path):
    root = tmp_path / "root"
    for number in range(4):
        write(root / "T91" / f"t{number}.png")
    write(root / "Set5" / "baby.png", 10, 13)
    write(root / "Set5" / "bird.png", 12, 8)
    write(root / "Set14" / "zebra.png", 8, 8)
    return root


def load(root, **arguments):
    given = {"scale": 2, "train": "T91", "test": {"set5": "Set5", "set14": "Set14"}, "patch": 4, "patches": 6}
    return load_dataset("sr-folders", str(root), arguments={**given, **arguments})


def as_tensor(pixels):
    return torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255


class TestTraining:
    def test_patches_have_one_shape_and_targets_are_larger_by_the_scale(self, root):
        data = load(root)
        ((images, targets),) = batches(data.train, 6)
        assert (images.shape, targets.shape) == ((6, 3, 4, 4), (6, 3, 8, 8))
        assert data.input_shape == (3, 4, 4)

    def test_a_patch_is_cut_out_of_both_resolutions_at_one_place(self, root):
        high = read_rgb(root / "T91" / "t0.png")[:14, :16]
        data = load(root, validation=3)  # one image is left
        image, target = data.train.images[5], data.train.targets[5]
        low, high = as_tensor(shrink(high, 2)), as_tensor(high)
        places = [
            (top, left)
            for top in range(4)
            for left in range(5)
            if torch.equal(image, low[:, top : top + 4, left : left + 4])
            and torch.equal(target, high[:, 2 * top : 2 * top + 8, 2 * left : 2 * left + 8])
        ]
        assert len(places) == 1

    def test_patches_lie_everywhere(self, root):
        data = load(root, patch=7, patches=60)  # 7 x 8 pixels in low resolution: two places in each of three images
        assert len({data.train.images[index].numpy().tobytes() for index in range(60)}) == 6

    def test_a_patch_depends_on_the_seed_and_its_number_only(self, root):
        first, longer, other = (load(root, **each).train.images for each in ({}, {"patches": 9}, {"seed": 1}))
        assert all(torch.equal(first[index], longer[index]) for index in range(6))
        assert not all(torch.equal(first[index], other[index]) for index in range(6))

    def test_the_last_tenth_validates_at_least_one(self, root):
        data = load(root)
        assert len(data.validation) == 1
        assert torch.equal(data.validation.targets[0], as_tensor(read_rgb(root / "T91" / "t3.png")[:14, :16]))

    def test_validation_may_be_on_centres(self, root):
        data = load(root, validation=2, validation_crop=4)
        ((images, targets),) = batches(data.validation, 2)
        high = as_tensor(read_rgb(root / "T91" / "t3.png"))
        assert images.shape == (2, 3, 4, 4)
        assert torch.equal(targets[1], high[:, 2:10, 4:12])  # 7 x 8 in low resolution: (7 - 4) // 2, (8 - 4) // 2

    def test_several_folders_are_one_after_another(self, root):
        assert len(load(root, train=["T91", "Set5"], validation=5).validation) == 5


class TestTestSets:
    def test_all_together_are_the_test_split(self, root):
        data = load(root)
        sizes = [tuple(data.test.targets[index].shape[1:]) for index in range(3)]
        assert [(name, len(split)) for name, split in data.test_sets.items()] == [("set14", 1), ("set5", 2)]
        assert sizes == [(8, 8), (10, 12), (12, 8)]  # cut to a multiple of the scale
        assert torch.equal(data.test_sets["set5"].images[1], data.test.images[2])

    def test_low_resolution_is_made_as_matlab_does(self, root):
        data = load(root)
        assert torch.equal(data.test.images[1], as_tensor(shrink(read_rgb(root / "Set5" / "baby.png")[:, :12], 2)))

    @pytest.mark.parametrize("ending", ["", "x2"])
    def test_low_resolution_is_read_where_there_is_a_folder_of_it(self, root, ending):
        write(root / "Set14_LR" / "X2" / f"zebra{ending}.png", 4, 4, value=255)
        data = load(root, low={"Set14": "Set14_LR/X2"})
        assert data.test_sets["set14"].images[0].unique().tolist() == [1]

    def test_normalising_keeps_them(self, root):
        arguments = {"scale": 2, "train": "T91", "test": {"set14": "Set14"}, "patch": 4}
        data = load_dataset("sr-folders", str(root), normalize=([0.5] * 3, [2.0] * 3), arguments=arguments)
        plain = load_dataset("sr-folders", str(root), arguments=arguments)
        assert torch.equal(data.test_sets["set14"].images[0], (plain.test.images[0] - 0.5) / 2)
        assert torch.equal(data.test_sets["set14"].targets[0], plain.test.targets[0])


class TestColour:
    def test_enlarged_images_have_the_size_of_their_targets(self, root):
        data = load(root, enlarged=True)
        ((images, targets),) = batches(data.train, 6)
        assert images.shape == targets.shape == (6, 3, 4, 4)
        small = shrink(read_rgb(root / "Set14" / "zebra.png"), 2)
        assert torch.equal(data.test.images[0], as_tensor(enlarge(small, 2)))

    def test_luma_is_one_channel_of_both(self, root):
        rgb, grey = load(root), load(root, colour="luma")
        assert grey.input_shape == (1, 4, 4)
        assert torch.equal(grey.train.images[0], luma(rgb.train.images[0]))
        assert torch.equal(grey.train.targets[0], luma(rgb.train.targets[0]))

    def test_grey_is_read_as_three_equal_channels(self, root):
        Image.open(root / "Set14" / "zebra.png").convert("L").save(root / "Set14" / "zebra.png")
        red, green, blue = load(root).test_sets["set14"].targets[0]
        assert torch.equal(red, green)
        assert torch.equal(red, blue)

    def test_alpha_is_left_out(self, root):
        opaque = load(root).test_sets["set14"].targets[0]
        image = Image.open(root / "Set14" / "zebra.png")
        image.putalpha(0)
        image.save(root / "Set14" / "zebra.png")
        forget_data()
        assert torch.equal(load(root).test_sets["set14"].targets[0], opaque)

    def test_16_bits_are_refused(self, root):
        Image.fromarray(np.full((8, 8), 40_000, dtype=np.uint16)).save(root / "Set14" / "zebra.png")
        with pytest.raises(BadInputError, match=r"zebra\.png: has 16 bits per channel; 8 are needed"):
            load(root)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"scale": 5}, "scale: 5 is not allowed; allowed: 2, 3 or 4"),
        ({"colour": "lum"}, "colour: 'lum' is not allowed; allowed: 'rgb' or 'luma'"),
        ({"enlarged": "yes"}, "enlarged: 'yes' is not valid; give true or false"),
        ({"patch": 0, "patches": 1.5}, "2 problems\n  patch: 0 is .* greater than or equal to 1\n  patches: 1.5 is "),
        ({"ptach": 4}, "ptach: is not accepted; did you mean 'patch'"),
        ({"patch": 8}, r"patch is 8 pixels, but these images are smaller .*t0\.png \(7 x 8\); .*make patch smaller"),
        ({"validation_crop": 8}, r"validation_crop is 8 pixels, but .*t3\.png \(7 x 8\)"),
        ({"validation": 4}, "validation is 4 of 4 training images"),
        ({"train": "T92"}, "there is no folder .*T92"),
        ({"train": []}, "train: is empty; give at least one"),
        ({"train": "empty"}, r"no images in .*empty; \.png, \.jpg, \.jpeg are read"),
        ({"train": "../elsewhere"}, "train.0: '../elsewhere' is not below the root"),
        ({"test": {}}, "test: is empty; give at least one"),
        ({"test": {"set/5": "Set5"}}, "test.set/5: 'set/5' is not a name"),
        ({"low": {"Set 5": "Set14"}}, "low: 'Set 5' is neither in train nor in test; did you mean 'Set5'"),
        ({"low": {"Set5": "T91"}}, r"lacks low-resolution images of baby\.png; bird\.png; .*NAMEx2\.png or NAME\.png"),
        ({"low": {"Set14": "wrong"}}, r"zebra\.png has 3 x 4 pixels; 4 x 4 fit zebra\.png \(8 x 8\) at scale 2"),
        ({"test": {"tiny": "tiny"}}, "has 1 x 9 pixels, fewer than scale 2"),
    ],
)
def test_what_does_not_fit_is_said(root, arguments, said):
    write(root / "wrong" / "zebra.png", 3, 4)
    write(root / "tiny" / "dot.png", 1, 9)
    (root / "empty").mkdir()
    with pytest.raises(BadInputError, match=f"data 'sr-folders': (?s:.*){said}"):
        load(root, **arguments)


def test_decoded_images_are_not_kept_among_the_data(root, monkeypatch):
    monkeypatch.setenv(CACHE_FOLDER, str(root / "cache"))
    with pytest.raises(BadInputError, match="change the data's fingerprint; set ORCHARD_IMAGE_CACHE to another folder"):
        load(root)


class TestDiv2k:
    @pytest.fixture
    def root(self, tmp_path):
        root = tmp_path / "div2k"
        for part, numbers in {"train": (1, 2), "valid": (801,)}.items():
            for number in numbers:
                write(root / f"DIV2K_{part}_HR" / f"{number:04}.png", 12, 16)
                for value, degradation in enumerate(("bicubic", "unknown")):
                    write(root / f"DIV2K_{part}_LR_{degradation}" / "X4" / f"{number:04}x4.png", 3, 4, value=value)
        write(root / "Set5" / "baby.png")
        return root

    @pytest.mark.parametrize(("degradation", "value"), [("bicubic", 0), ("unknown", 1)])
    def test_low_resolution_is_that_of_the_degradation_asked_for(self, root, degradation, value):
        arguments = {"scale": 4, "patch": 3, "patches": 1, "degradation": degradation}
        data = load_dataset("div2k", str(root), arguments=arguments)
        assert (255 * data.train.images[0]).unique().tolist() == [value]
        assert list(data.test_sets) == ["div2k"]

    def test_without_a_degradation_it_is_made_here(self, root):
        data = load_dataset("div2k", str(root), arguments={"scale": 3, "patch": 3, "degradation": None})
        high = read_rgb(root / "DIV2K_valid_HR" / "0801.png")[:, :15]
        assert torch.equal(data.test.images[0], as_tensor(shrink(high, 3)))

    def test_further_test_sets_come_after_its_own(self, root):
        data = load_dataset("div2k", str(root), arguments={"scale": 4, "patch": 3, "test": {"set5": "Set5"}})
        assert list(data.test_sets) == ["div2k", "set5"]

    @pytest.mark.parametrize(
        ("arguments", "said"),
        [
            ({"degradation": "mild"}, "degradation: 'mild' is not allowed; allowed: 'bicubic' or 'unknown'"),
            ({"scale": 2}, "there is no folder .*DIV2K_train_LR_bicubic/X2"),
            ({"ptach": 2}, "ptach: is not accepted; did you mean 'patch'"),
        ],
    )
    def test_what_does_not_fit_is_said(self, root, arguments, said):
        with pytest.raises(BadInputError, match=f"data 'div2k': (?s:.*){said}"):
            load_dataset("div2k", str(root), arguments={"scale": 4, "patch": 3, **arguments})
