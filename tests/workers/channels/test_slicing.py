import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models

from workers.channels import (
    count_parameters,
    find_groups,
    load_resized,
    map_units,
    mask,
    replace_units,
    restrict,
    select,
    unit_slices,
)

SHAPE = (3, 8, 8)


def some_units(channel_map, seed=0):
    """About two thirds of every group, sorted."""
    generator = np.random.default_rng(seed)
    return {
        group.name: np.sort(generator.permutation(group.width)[: max(1, 2 * group.width // 3)])
        for group in channel_map.groups
    }


def shuffled(channel_map, seed=0):
    generator = np.random.default_rng(seed)
    return {group.name: generator.permutation(group.width) for group in channel_map.groups}


def relative_error(found, expected):
    return ((found - expected).norm() / expected.norm()).item()


def check_everything(model, shape, image, tolerance=1e-10):
    """Masked equals sliced; permuting changes nothing; counts are right; it trains; it stays analysable."""
    channel_map = find_groups(model, shape)
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    with torch.no_grad():
        whole = model(image)
        load_resized(model, select(state, channel_map, shuffled(channel_map)))
        assert relative_error(model(image), whole) < tolerance
        kept = some_units(channel_map)
        model.load_state_dict(mask(state, channel_map, kept))
        masked = model(image)
        assert relative_error(masked, whole) > 1e-6  # something was removed
        load_resized(model, select(state, channel_map, kept))
        if not any(group.normalised for group in channel_map.groups):  # those are compared in test_proof
            assert relative_error(model(image), masked) < tolerance
    widths = {name: len(units) for name, units in kept.items()}
    assert count_parameters(channel_map, widths) == sum(parameter.numel() for parameter in model.parameters())
    smaller = restrict(channel_map, widths)
    assert smaller.shapes == {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    model.train()
    outputs = model(image)
    sum(output.square().sum() for output in (outputs if isinstance(outputs, tuple) else (outputs,))).backward()
    assert all(parameter.grad is not None for parameter in model.parameters())
    return channel_map, smaller


def test_tiny_networks(network, image):
    _, smaller = check_everything(network, SHAPE, image)
    again = find_groups(network, SHAPE)
    assert again.groups == smaller.groups
    assert again.tensors == smaller.tensors


@pytest.mark.parametrize(
    ("name", "options", "num_groups"),
    [
        # 4 sums (one per stage) and one inner convolution in each of 8 blocks
        ("resnet18", {}, 12),
        # the stem, 2 convolutions in each of 2 + 3 + 2 layers, 2 transitions
        (
            "DenseNet",
            {"growth_rate": 8, "block_config": (2, 3, 2), "num_init_features": 12, "bn_size": 2},
            1 + 2 * 7 + 2,
        ),
        ("squeezenet1_1", {}, 25),
        ("mobilenet_v2", {}, 25),
        # with two auxiliary classifiers that only the training pass calls: a convolution and a linear layer each
        pytest.param("googlenet", {"init_weights": False, "aux_logits": True}, 57 + 4, marks=pytest.mark.slow),
    ],
)
def test_torchvision(name, options, num_groups, randomise):
    size = 64 if name == "googlenet" else 32
    model = randomise(lambda: getattr(models, name)(num_classes=10, **options))
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    image = torch.randn(2, 3, size, size, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    channel_map, _ = check_everything(model, (3, size, size), image, 1e-8)
    assert len(channel_map.groups) == num_groups
    assert not channel_map.refused


class TestSelect:
    @pytest.mark.parametrize(
        ("index", "message"),
        [
            ({"conv1": []}, r"'conv1': expected a list of at least one unit"),
            ({"conv1": [0, 6]}, r"'conv1': units 0\.\.6 are outside 0\.\.5"),
            ({"conv1": [-1]}, r"'conv1': units -1\.\.-1 are outside 0\.\.5"),
            ({"conv1": [2, 1, 2]}, r"'conv1': 1 units are given twice"),
            ({"conv1": np.array([0.5])}, r"'conv1': unit numbers are integers"),
            ({"conv7": [0]}, r"no channel group 'conv7'; groups: conv1, conv2, fc1"),
        ],
    )
    def test_bad_selections_name_the_group(self, plain, index, message, known_map):
        channel_map = known_map(plain)
        for function in (select, mask):
            with pytest.raises(ValueError, match=message):
                function(plain.state_dict(), channel_map, index)

    def test_a_state_of_another_shape_is_an_error(self, plain, known_map):
        channel_map = known_map(plain)
        state = select(plain.state_dict(), channel_map, {"conv1": [0]})
        with pytest.raises(ValueError, match=r"conv1.weight: shape \(1, 3, 3, 3\), the map says \(6, 3, 3, 3\)"):
            select(state, channel_map, {"conv1": [0]})

    def test_takes_tensors_arrays_and_lists_in_their_order(self, plain, known_map):
        channel_map, state = known_map(plain), plain.state_dict()
        for units in ([4, 0], np.array([4, 0]), torch.tensor([4, 0])):
            chosen = select(state, channel_map, {"conv2": units})
            assert torch.equal(chosen["bn2.bias"], state["bn2.bias"][[4, 0]])
            assert torch.equal(chosen["fc1.weight"], state["fc1.weight"].view(7, 5, 4)[:, [4, 0]].reshape(7, 8))

    def test_leaves_the_given_state_alone(self, plain, known_map):
        channel_map, state = known_map(plain), plain.state_dict()
        before = {name: tensor.clone() for name, tensor in state.items()}
        select(state, channel_map, {"conv1": [0]})
        mask(state, channel_map, {"conv1": [0]})
        assert all(torch.equal(state[name], tensor) for name, tensor in before.items())


class TestUnits:
    @pytest.fixture
    def axes(self, network, known_map):
        """Every (tensor, layouts, axis, group) of a network."""
        channel_map = known_map(network)
        return [
            (network.state_dict()[name], layouts, axis, group, channel_map)
            for name, layouts in channel_map.tensors.items()
            for axis, layout in enumerate(layouts)
            for group in layout.present()
        ]

    def test_slices_put_back_change_nothing(self, axes):
        for tensor, layouts, axis, group, _ in axes:
            rows = unit_slices(tensor, layouts, axis, group)
            assert torch.equal(replace_units(tensor, layouts, axis, group, rows), tensor)

    def test_a_row_selection_equals_select(self, network, known_map):
        channel_map, state = known_map(network), network.state_dict()
        index = some_units(channel_map)
        selected = select(state, channel_map, index)
        for name, layouts in channel_map.tensors.items():
            tensor, current = state[name], list(layouts)
            for axis in range(len(layouts)):
                for group in layouts[axis].present():
                    units = index[channel_map.groups[group].name]
                    matrix = torch.eye(channel_map.groups[group].width, dtype=torch.float64)[units]
                    tensor = map_units(tensor, current, axis, group, matrix)
                    current[axis] = current[axis].cut({group: len(units)})
            torch.testing.assert_close(tensor, selected[name], rtol=0, atol=0)

    def test_a_row_holds_all_that_a_unit_owns(self, plain, known_map):
        layouts = known_map(plain).tensors["fc1.weight"]
        rows = unit_slices(plain.fc1.weight, layouts, 1, 1)
        assert rows.shape == (5, 4 * 7)
        assert torch.equal(rows[3], plain.fc1.weight[:, 12:16].T.reshape(-1))

    def test_mapping_is_differentiable_in_tensor_and_matrix(self, channels_last, known_map):
        layouts = known_map(channels_last).tensors["fc.weight"]
        weight = torch.randn(4, 20, dtype=torch.float64, requires_grad=True)
        matrix = torch.randn(3, 5, dtype=torch.float64, requires_grad=True)
        assert torch.autograd.gradcheck(lambda w, m: map_units(w, layouts, 1, 1, m), (weight, matrix))

    def test_more_rows_than_units_are_an_error(self, plain, known_map):
        layouts = known_map(plain).tensors["conv1.bias"]
        with pytest.raises(ValueError, match=r"axis 0: 7 rows for a group of 6 units"):
            replace_units(plain.conv1.bias, layouts, 0, 0, torch.zeros(7, 1))
        with pytest.raises(ValueError, match=r"axis 0: a matrix of shape \(3, 5\) for 6 units"):
            map_units(plain.conv1.bias, layouts, 0, 0, torch.zeros(3, 5))
