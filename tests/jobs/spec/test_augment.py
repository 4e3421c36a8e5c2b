import pytest

from jobs.errors import InvalidFileError
from jobs.load import load_sweep
from jobs.spec.augment import TransformSpec
from jobs.spec.training import Recipe, TrainSpec


@pytest.fixture
def load(write_sweep):
    def load(augment, **changes):
        train = {"epochs": 1, "augment": augment}
        method = {"kind": "criterion", "criterion": "l1", "compressions": [0.5]}
        sweep = {"name": "s", "data": {"dataset": "digits"}, "models": {"net": {"network": "plain", "train": train}}}
        return load_sweep(str(write_sweep({**sweep, "methods": {"l1": method}, **changes}))).models["net"].train.augment

    return load


def test_a_name_is_written_as_it_always_was():
    for given in ("crop-flip", ["crop-flip"]):
        assert Recipe(epochs=1, augment=given).model_dump(mode="json")["augment"] == "crop-flip"


def test_a_list_has_names_and_transforms_with_their_settings(load):
    found = load(["crop-flip", {"randaugment": {"num_ops": 3}}, {"random_erasing": {"scale": [0.1, 0.2]}}, "mixup"])
    assert found[0] == "crop-flip"
    assert [each.name for each in found[1:]] == ["randaugment", "random_erasing", "mixup"]
    assert (found[1].randaugment.num_ops, found[1].randaugment.magnitude) == (3, 9)
    assert found[2].random_erasing.scale == (0.1, 0.2)
    recipe = Recipe(epochs=1, augment=found)
    assert Recipe.model_validate_json(recipe.model_dump_json()) == recipe
    assert recipe.lasting(2).augment == found


def test_a_transform_without_settings_may_be_a_name_and_is_the_same(load):
    assert load("mixup") == load(["mixup"]) == load([{"mixup": {}}]) == (TransformSpec.model_validate({"mixup": {}}),)


def test_a_single_transform_needs_no_list(load):
    given = {"randaugment": {"magnitude": 7}}
    assert load(given) == load([given]) == (TransformSpec.model_validate(given),)


def test_settings_with_a_name_are_overridden_by_a_list(load):
    train = TrainSpec.model_validate({"settings": "cifar_short", "augment": ["crop-flip", "cutmix"]})
    assert [str(getattr(each, "name", each)) for each in train.augment] == ["crop-flip", "cutmix"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("crop_flip", "train: augment: crop_flip is none of the objective classification; did you mean 'crop-flip'"),
        ([], "is no list of augmentations"),
        (["none", "flip"], "leave `none` out"),
        (["flip", "random_resized_crop"], "give it first"),
        (["mixup", "randaugment"], "mixup mixes the images of a batch; give it after"),
        ([{"mixup": {}, "cutmix": {}}], r"augment\[0\]: has mixup and cutmix; give one"),
        ([{}], "has no transform; give one"),
        ([{"mixupp": {}}], "did you mean 'mixup'"),
        ([{"mixup": {"alpa": 1}}], "did you mean 'alpha'"),
        ([{"mixup": {"alpha": 0}}], r"augment\[0\]\.mixup\.alpha: 0 is not valid"),
        ([{"randaugment": {"magnitude": 31}}], "less than or equal to 30"),
        ([{"random_resized_crop": {"scale": [0.5, 0.2]}}], "is no range"),
        ([{"random_resized_crop": {"scale": [0.5, 2]}}], "goes beyond 1"),
        (7, "augment: 7 is not valid"),
        ({}, "has no transform; give one"),
        ({"randaugment": {"magnitude": 31}}, r"augment\.randaugment\.magnitude: 31 is not valid"),
        ({"mixupp": {}}, "did you mean 'mixup'"),
    ],
)
def test_an_unfit_one_is_refused_with_its_remedy(load, given, said):
    with pytest.raises(InvalidFileError, match=said):
        load(given)


def test_transforms_are_of_classification(load):
    data = {"dataset": "div2k", "root": "/photos"}
    objective = {"kind": "super-resolution", "scale": 2}
    with pytest.raises(InvalidFileError, match="augment: mixup is none of the objective super-resolution"):
        load("mixup", data=data, objective=objective)
