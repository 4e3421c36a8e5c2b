import pytest
import torch
import torchvision

from workers.models.residual_stages import residual_stages


@pytest.mark.parametrize("depth", [18, 50])
def test_tensors_are_named_and_shaped_as_those_of_torchvisions_classifiers(depth):
    with torch.device("meta"):
        ours = residual_stages("r", depth=depth, widths=[64, 128, 256, 512]).state_dict()
        theirs = torchvision.models.get_model(f"resnet{depth}").state_dict()
    shapes = {name: tensor.shape for name, tensor in theirs.items() if not name.startswith("fc.")}
    assert {name: tensor.shape for name, tensor in ours.items()} == shapes
