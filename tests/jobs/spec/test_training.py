import json

import pytest
from pydantic import ValidationError

from jobs.spec.integral import IntegralTrainSpec
from jobs.spec.protocols import FineTuneProtocol
from jobs.spec.settings import SETTINGS
from jobs.spec.training import FineTuneSpec, Recipe, Settings, TrainSpec


def numbers(spec, **given):
    """What enters a task's params."""
    return spec.model_validate_json(json.dumps(given)).model_dump(mode="json")


def test_every_name_has_settings_and_every_settings_a_name():
    assert set(Settings.__args__) == set(SETTINGS)


@pytest.mark.parametrize("name", SETTINGS)
def test_the_numbers_and_not_the_name_are_what_counts(name):
    resolved = numbers(TrainSpec, settings=name)
    assert resolved == numbers(TrainSpec, **SETTINGS[name])
    assert "settings" not in resolved


@pytest.mark.parametrize(
    ("name", "epochs", "batch_size", "milestones", "augment"),
    [
        ("cifar_rethinking", 160, 64, [0.5, 0.75], "crop-flip"),
        ("imagenet_rethinking", 90, 256, [1 / 3, 2 / 3], "resized-crop-flip"),
    ],
)
def test_the_papers_settings_are_the_papers(name, epochs, batch_size, milestones, augment):
    expected = {"epochs": epochs, "batch_size": batch_size, "milestones": milestones, "schedule": "step"}
    expected |= {"learning_rate": 0.1, "momentum": 0.9, "weight_decay": 1e-4, "augment": augment}
    assert expected.items() <= numbers(TrainSpec, settings=name).items()


def test_what_stands_beside_the_name_goes_before_it():
    assert numbers(TrainSpec, settings="cifar_rethinking", epochs=8)["epochs"] == 8
    assert numbers(TrainSpec, settings="cifar_rethinking", epochs=8)["augment"] == "crop-flip"


def test_fine_tuning_starts_from_the_papers_settings():
    expected = {"epochs": 40, "learning_rate": 1e-3, "schedule": "constant", "batch_size": 64}
    expected |= {"augment": "none"}  # which suits every data set
    assert expected.items() <= numbers(FineTuneSpec).items()
    assert numbers(FineTuneSpec, settings="imagenet_fine_tune")["epochs"] == 20
    assert numbers(FineTuneSpec, epochs=3)["learning_rate"] == 1e-3


def test_without_settings_epochs_have_to_be_given():
    with pytest.raises(ValidationError, match="epochs"):
        numbers(TrainSpec)


@pytest.mark.parametrize("value", ["0.5", [True], [0.5, "0.7"]])
def test_milestones_are_numbers_in_a_list(value):
    with pytest.raises(ValidationError, match="milestones"):
        numbers(TrainSpec, epochs=2, milestones=value)


def test_resolved_settings_come_back_the_same():
    resolved = numbers(FineTuneSpec, settings="imagenet_fine_tune", epochs=3)
    assert numbers(FineTuneSpec, **resolved) == resolved


def test_a_protocol_that_says_nothing_fine_tunes_as_the_paper_does():
    protocol = FineTuneProtocol.model_validate_json('{"kind": "fine-tune"}')
    assert protocol.train.model_dump(mode="json") == numbers(FineTuneSpec)


def test_settings_that_were_added_are_in_no_key_where_they_are_not_used():
    assert set(TrainSpec(epochs=2).model_dump(mode="json", exclude_none=True)) == {
        "epochs",
        "batch_size",
        "learning_rate",
        "momentum",
        "weight_decay",
        "schedule",
        "milestones",
        "warmup_epochs",
        "augment",
        "label_smoothing",
        "nesterov",
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"schedule": "one-cycle", "warmup_epochs": 1}, "a rise of its own; set warmup_epochs: 0"),
        ({"keep": "ema"}, "keep: ema needs an average"),
        ({"precision": "float64"}, "precision"),
        ({"compile": "max-autotune"}, "compile"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given, said):
    with pytest.raises(ValidationError, match=said):
        numbers(TrainSpec, epochs=2, **given)


def test_an_integral_network_is_not_compiled():
    with pytest.raises(ValidationError, match="other sizes at every step; remove `compile`"):
        numbers(IntegralTrainSpec, epochs=2, compile=True)


def test_up_to_an_epoch_a_training_ends_with_the_weights_of_that_one():
    spec = TrainSpec(epochs=4, ema=0.9, keep="ema", patience=1)
    assert (Recipe.of(spec).keep, Recipe.of(spec).patience) == ("ema", 1)
    assert (Recipe.of(spec, until=2).keep, Recipe.of(spec, until=2).patience) == ("last", None)
