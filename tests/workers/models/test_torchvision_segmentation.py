import pytest
import torch
import torchvision

from jobs.errors import BadInputError
from workers.models import build


def test_tensors_are_named_and_shaped_as_torchvisions():
    arguments = {"num_classes": 4, "aux_loss": True}
    with torch.device("meta"):
        ours = build("torchvision:fcn_resnet50", arguments)
        theirs = torchvision.models.get_model("fcn_resnet50", weights=None, weights_backbone=None, **arguments)
    shapes = [{key: value.shape for key, value in model.state_dict().items()} for model in (ours, theirs)]
    assert shapes[0] == shapes[1]


def test_one_tensor_comes_out_in_evaluation_and_two_in_training():
    model = build("torchvision:deeplabv3_mobilenet_v3_large", {"num_classes": 4, "aux_loss": True})
    images = torch.rand(2, 3, 16, 16)
    assert {name: logits.shape for name, logits in model(images).items()} == dict.fromkeys(
        ("out", "aux"), (2, 4, 16, 16)
    )
    theirs = torchvision.models.get_model(
        "deeplabv3_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=4, aux_loss=True
    )
    theirs.load_state_dict(model.state_dict())
    with torch.no_grad():
        assert torch.equal(model.eval()(images), theirs.eval()(images)["out"])


def test_what_reads_features_of_two_layers_returns_torchvisions_logits():
    model = build("torchvision:lraspp_mobilenet_v3_large", {"num_classes": 4}).eval()
    theirs = torchvision.models.get_model(
        "lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=4
    )
    theirs.load_state_dict(model.state_dict())
    images = torch.rand(1, 3, 16, 16)
    with torch.no_grad():
        assert torch.equal(model(images), theirs.eval()(images)["out"])


@pytest.mark.parametrize(
    ("name", "arguments", "said"),
    [
        ("fcn_resnet50", {"num_clases": 4}, "'num_clases' is not accepted; did you mean 'num_classes'"),
        ("fcn_resnet50", {"weights_backbone": "DEFAULT"}, "'weights_backbone' is not accepted: weights are named"),
        ("lraspp_mobilenet_v3_large", {"aux_loss": True}, "'aux_loss' is not accepted"),
        ("fcn_resnet50", {"num_classes": 0}, "num_classes is 0; a whole number of at least 1"),
    ],
)
def test_arguments_that_do_not_fit_are_refused(name, arguments, said):
    with pytest.raises(BadInputError, match=said):
        build(f"torchvision:{name}", arguments)
