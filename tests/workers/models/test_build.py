import sys
import types

import pytest
import torch
from torch import nn

from jobs.errors import BadInputError
from workers.models import build


def test_plain_has_the_parameters_counted_by_hand(num_parameters):
    # Convolutions 1*2*9 + 2*3*9 = 72; batch norms 2*2 + 2*3 = 10; linear 3*5 + 5 = 20.
    model = build("plain", {"widths": [2, 3], "num_classes": 5, "in_channels": 1})
    assert num_parameters(model) == 72 + 10 + 20


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
    module.lazy = lambda: nn.Sequential(nn.LazyConv2d(4, 3), nn.LazyBatchNorm2d(), nn.Flatten(), nn.LazyLinear(2))
    module.number = lambda: 3
    module.constant = 3
    monkeypatch.setitem(sys.modules, "orchard_test_lab", module)


@pytest.mark.usefixtures("lab")
def test_user_factory_is_called_with_the_arguments():
    assert build("orchard_test_lab:net", {"width": 5}).in_features == 5


@pytest.mark.usefixtures("lab")
def test_lazy_layers_that_were_given_sizes_are_taken(monkeypatch):
    network = sys.modules["orchard_test_lab"].lazy()
    network(torch.zeros(2, 1, 5, 5))
    monkeypatch.setattr(sys.modules["orchard_test_lab"], "lazy", lambda: network)
    assert build("orchard_test_lab:lazy")[3].in_features == 36


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
        ("orchard_test_lab:lazy", {}, r"0, 1, 3 have no sizes before their first input; give them sizes \(nn.Conv2d"),
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
        ("cifar_resnet", {"depth": 54}, "depth is 54; 6 x blocks \\+ 2 is needed, for example 8, 14, 20, 110"),
        ("cifar_resnet", {"depth": 2}, "depth is 2; 6 x blocks"),
        ("preresnet", {"depth": 165}, "depth is 165; 9 x blocks \\+ 2 is needed, for example 11, 20, 29, 164"),
        ("preresnet", {"depth": True}, "depth is True; a whole number"),
        ("cifar_resnet20", {"shortcut": "conv"}, "shortcut is 'conv'; one of projection, padding is needed"),
        ("nin", {"num_classes": 0}, "num_classes is 0"),
        ("cifar_vgg19_bn", {"in_channels": 0}, "in_channels is 0"),
        ("edsr", {}, "argument 'scale' is missing"),
        ("edsr", {"scale": 8}, "scale is 8; one of 2, 3, 4 is needed"),
        ("edsr", {"scale": 2, "residual_scale": 0.0}, "residual_scale is 0.0; a number above 0"),
        ("edsr_baseline", {"scale": 1}, "scale is 1; one of 2, 3, 4"),
        ("srcnn", {"kernels": [9, 4, 5]}, "kernels is \\[9, 4, 5\\]; three odd sides are needed"),
        ("srcnn", {"kernels": [9, 5]}, "three odd sides"),
        ("srcnn", {"widths": [64]}, "widths is \\[64\\]; two are needed"),
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
