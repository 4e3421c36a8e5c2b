import sys
import types

import pytest
import torch
import torchvision
from torch import nn

from jobs.errors import BadInputError
from workers.models import build


def num_parameters(model):
    return sum(each.numel() for each in model.parameters())


def test_plain_has_the_parameters_counted_by_hand():
    # Convolutions 1*2*9 + 2*3*9 = 72; batch norms 2*2 + 2*3 = 10; linear 3*5 + 5 = 20.
    model = build("plain", {"widths": [2, 3], "num_classes": 5, "in_channels": 1})
    assert num_parameters(model) == 72 + 10 + 20


def test_resnet_has_the_parameters_counted_by_hand():
    # Stem 3*2*9 + 4 = 58. Stage 1: two of 2*2*9 + 4 = 80. Stage 2: 2*4*9 + 8, 4*4*9 + 8 and the shortcut
    # 2*4 + 8: 80 + 152 + 16 = 248. Linear 4*10 + 10 = 50.
    model = build("resnet", {"widths": [2, 4], "blocks": 1})
    assert num_parameters(model) == 58 + 80 + 248 + 50


def test_resnet_halves_the_side_at_stages_two_and_three():
    model = build("resnet", {})
    sides = {}
    for name in ("layer1", "layer2", "layer3"):
        model.get_submodule(name).register_forward_hook(
            lambda _m, _i, out, name=name: sides.update({name: out.shape[1:]})
        )
    model(torch.zeros(2, 3, 32, 32))
    assert sides == {"layer1": (32, 32, 32), "layer2": (64, 16, 16), "layer3": (128, 8, 8)}


def test_densenet_concatenates_growing_channels():
    # 2*4 into block 1, two layers of 4: 16; the transition halves them: 8; block 2: 16 into the linear layer.
    model = build("densenet", {"growth": 4, "layers": 2})
    assert [layer.conv.in_channels for layer in model.block1] == [8, 12]
    assert [layer.conv.in_channels for layer in model.block2] == [8, 12]
    assert model.linear.in_features == 16


def test_cifar_resnet56_has_the_published_number_of_parameters():
    # 0.856 M with 1x1-conv shortcuts: He et al. (2016), Table 6 gives 0.85 M.
    assert num_parameters(build("cifar_resnet56", {})) == 855_770


def test_cifar_resnet_counts_its_depth_along_the_main_path():
    # 20 = 1 stem + 3 stages of 3 blocks of 2 convolutions + 1 linear.
    model = build("cifar_resnet", {"depth": 20})
    convolutions = [
        name for name, each in model.named_modules() if isinstance(each, nn.Conv2d) and "shortcut" not in name
    ]
    assert len(convolutions) + 1 == 20


def test_cifar_vgg16_bn_numbers_its_features_as_torchvision_does():
    ours = build("cifar_vgg16_bn", {}).features.state_dict()
    theirs = torchvision.models.vgg16_bn(weights=None, init_weights=False).features.state_dict()
    assert {name: each.shape for name, each in ours.items()} == {name: each.shape for name, each in theirs.items()}


@pytest.mark.parametrize("name", ["plain", "resnet", "densenet", "cifar_vgg16_bn"])
def test_zoo_takes_the_images_it_is_told_of(name):
    model = build(name, {"num_classes": 7, "in_channels": 1}).eval()
    assert model(torch.zeros(2, 1, 32, 32)).shape == (2, 7)


def test_same_seed_gives_the_same_weights():
    torch.manual_seed(3)
    first = build("plain", {"widths": [4]}).linear.weight
    torch.manual_seed(3)
    assert torch.equal(first, build("plain", {"widths": [4]}).linear.weight)


def test_torchvision_network_takes_its_arguments():
    assert build("torchvision:mobilenet_v2", {"num_classes": 3}).classifier[1].out_features == 3


def test_torchvision_network_with_a_backbone_downloads_nothing(monkeypatch):
    def refuse(*_args, **_kwargs):
        pytest.fail("a download was tried")

    monkeypatch.setattr(torch.hub, "load_state_dict_from_url", refuse)
    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", refuse)
    with torch.device("meta"):
        assert isinstance(build("torchvision:lraspp_mobilenet_v3_large", {}), nn.Module)


@pytest.fixture
def lab(monkeypatch):
    module = types.ModuleType("orchard_test_lab")
    module.net = lambda width, depth=1: nn.Linear(width, depth)
    module.number = lambda: 3
    module.constant = 3
    monkeypatch.setitem(sys.modules, "orchard_test_lab", module)


@pytest.mark.usefixtures("lab")
def test_user_factory_is_called_with_the_arguments():
    assert build("orchard_test_lab:net", {"width": 5}).in_features == 5


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("network", "arguments", "said"),
    [
        ("resnt", {}, "network 'resnt': unknown; did you mean 'resnet'"),
        ("torchvision:resnet19", {}, "no such network; did you mean 'resnet1"),
        ("torchvision:resnet18", {"weights": "DEFAULT"}, "'weights' is not accepted"),
        ("torchvision:resnet18", {"wings": 2}, "unexpected keyword argument 'wings'"),
        ("no_such_lab.nets:net", {}, "no module named 'no_such_lab' here; install it"),
        ("orchard_test_lab:nett", {}, "nothing there is called 'nett'; did you mean 'net'?"),
        ("orchard_test_lab:constant", {}, "of type int; a callable is needed"),
        ("orchard_test_lab:number", {}, "returned int; it must return a torch.nn.Module"),
        (
            "orchard_test_lab:net",
            {"widht": 1},
            "argument 'width' is missing\n.*'widht' is not accepted; did you mean 'width'",
        ),
        ("orchard test lab:", {}, "not of the form 'package.module:callable'"),
        ("plain", {"width": [4]}, "argument 'width' is not accepted; did you mean 'widths'"),
        ("plain", {"widths": []}, "widths is \\[\\]; a list of channels per stage"),
        ("plain", {"num_classes": 0}, "num_classes is 0; a whole number of at least 1"),
        ("resnet", {"blocks": 0}, "blocks is 0"),
        ("densenet", {"growth": True}, "growth is True"),
        ("cifar_resnet", {"depth": 54}, "depth is 54; 6 x blocks \\+ 2"),
    ],
)
def test_what_cannot_be_built_is_said(network, arguments, said):
    with pytest.raises(BadInputError, match=said):
        build(network, arguments)


def test_an_import_error_inside_a_users_module_is_theirs(tmp_path, monkeypatch):
    (tmp_path / "orchard_broken_lab.py").write_text("import a_package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there"):
        build("orchard_broken_lab:net", {})
