from jobs.spec.compatibility import method_conflict
from jobs.spec.integral import IntegralMethod
from jobs.spec.protocols import RepairProtocol


def test_a_refit_would_aim_at_the_network_of_fewer_coefficients():
    refit = RepairProtocol(kind="repair")
    assert "not to the dense one" in method_conflict(refit, IntegralMethod(kind="integral", coefficients=0.5))
    assert method_conflict(refit, IntegralMethod(kind="integral")) is None
