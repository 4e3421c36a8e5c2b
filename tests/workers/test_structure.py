import pytest
import torch
from partial_networks import tiny_classifier

from jobs.errors import BadInputError
from workers.channels import applications_of, find_groups
from workers.inputs import InputSpec
from workers.network import NetworkRecipe
from workers.structure import Structure, check_fits, find_structure, nothing_goes

PLAIN = NetworkRecipe(
    network="plain", arguments={"widths": [4, 6], "in_channels": 1}, inputs=InputSpec.of_shape((1, 8, 8))
)


SHAPE, PARTS = (1, 16, 16), ("backbone", "head")


@pytest.fixture(scope="module", params=[True, False], ids=["folded", "unfolded"])
def found(request) -> Structure:
    return find_structure(PLAIN, fold=request.param)


@pytest.fixture(scope="module")
def found_in_parts() -> Structure:
    network = "partial_networks:tiny_classifier"
    return find_structure(NetworkRecipe(network=network, arguments={}, inputs=InputSpec.of_shape(SHAPE), parts=PARTS))


def state() -> dict[str, torch.Tensor]:
    return PLAIN.construct().state_dict()


def test_it_fits_whatever_the_weights(found):
    check_fits(found, state())
    assert nothing_goes(found) == ""


def test_the_generator_of_the_process_stays_as_it_is():
    before = torch.get_rng_state()
    find_structure(PLAIN)
    assert torch.equal(torch.get_rng_state(), before)


def test_all_that_differs_is_named(found):
    changed = state()
    changed["linear.weight"], changed["linear.scale"] = torch.zeros(10, 7), changed.pop("linear.bias")
    with pytest.raises(BadInputError) as error:
        check_fits(found, changed)
    for said in ("'linear.weight' has shape (10, 7), and had (10, 6)", "'linear.scale' was not there", "'linear.bias'"):
        assert said in str(error.value)


def test_a_missing_layer_whose_norm_was_to_be_folded_is_named():
    changed = {name: each for name, each in state().items() if name != "features.0.weight"}
    with pytest.raises(BadInputError, match=r"'features\.0\.weight' is missing"):
        check_fits(find_structure(PLAIN, fold=True), changed)


@pytest.mark.parametrize("bias", [-0.05, -9.0], ids=["fewer boxes", "no box"])
def test_boxes_are_counted_with_the_weights_that_a_network_has(found_in_parts, bias):
    other = tiny_classifier()
    torch.nn.init.constant_(other.objectness.bias, bias)
    direct = find_groups(other, SHAPE, parts=PARTS)
    known = found_in_parts.channel_map
    assert (known.groups, known.tensors) == (direct.groups, direct.tensors)
    assert known.applications["head.first.weight"] > direct.applications["head.first.weight"]
    assert applications_of(other, SHAPE, PARTS, known.applications) == direct.applications


def test_a_network_that_does_not_fit_its_inputs_is_not_told_to_name_parts():
    recipe = NetworkRecipe(network="resnet", arguments={"in_channels": 3}, inputs=InputSpec.of_shape((1, 8, 8)))
    with pytest.raises(BadInputError, match=r"give the network arguments that fit \(in_channels, ...\)"):
        find_structure(recipe)
