import pytest
from torch import nn

from workers.models.modes import in_mode


def test_each_module_gets_its_own_flag_back_even_after_an_error():
    model = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout())
    model[0].eval()

    def fail_in_eval_mode():
        with in_mode(model, training=False):
            assert not any(each.training for each in model.modules())
            raise KeyError

    with pytest.raises(KeyError):
        fail_in_eval_mode()
    assert [each.training for each in model.modules()] == [True, False, True]
