from orchestrator.scheduling.spending import Caps, Spending


def test_without_caps_nothing_is_exceeded():
    spending = Spending(Caps(), gpu_s=1e9)
    assert spending.exceeded(now_s=1e9) == ""


def test_earlier_runs_count_for_gpu_hours():
    assert "gpu_hours" in Spending(Caps(gpu_s=3600.0), gpu_s=3600.0).exceeded(now_s=0.0)


def test_what_runs_is_counted_before_it_ends():
    spending = Spending(Caps(gpu_s=100.0))
    spending.reserve(60.0)
    assert spending.exceeded(now_s=0.0, next_gpu_s=30.0) == ""
    assert spending.exceeded(now_s=0.0, next_gpu_s=50.0) != ""
    spending.settle(reserved_gpu_s=60.0, spent_gpu_s=20.0)
    assert (spending.gpu_s, spending.reserved_gpu_s) == (20.0, 0.0)
    assert spending.exceeded(now_s=0.0, next_gpu_s=50.0) == ""


def test_wall_time_counts_from_the_start_of_this_run():
    spending = Spending(Caps(wall_s=60.0), started_s=1000.0)
    assert spending.exceeded(now_s=1059.0) == ""
    assert "wall_hours" in spending.exceeded(now_s=1060.0)
