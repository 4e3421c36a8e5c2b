"""Choices among orders in a plan."""

from planned import by_stage, curve_of, line_of, stages_on_the_way

from jobs.spec.effort import EFFORTS
from jobs.stages.table import StageKind


def only_of(plan, stage, method):
    """The task of a stage on the way to a method's first point."""
    line = line_of(plan, curve_of(plan, method).points[0].key)
    return next(task for task in line if task.stage is stage)


def test_a_choice_among_orders_comes_for_every_compression_before_what_reads_the_network(plan):
    made = plan("methods.tuned.ordering.choice=output", "methods.integral.ordering.choice=reconstruction")
    for method in ("integral", "tuned"):
        for point in curve_of(made, method).points:
            assert stages_on_the_way(made, point.key) == ["evaluate", "prune", "choose", "permute", "convert", "train"]
    assert by_stage(made)["choose"] == 4  # 2 methods x 2 compressions ...
    assert by_stage(made)["permute"] == 1  # ... from one pool
    pruned = only_of(made, StageKind.PRUNE, "tuned")
    tuned = made.tasks[pruned.params.procedure.tuned]
    assert tuned.params.network == pruned.params.procedure.network


def test_what_is_chosen_by_decides_what_a_choice_depends_on(plan):
    made = plan("methods.tuned.ordering.choice=output", "methods.integral.ordering.choice=reconstruction")
    sampling = only_of(made, StageKind.CHOOSE, "integral").params
    assert (sampling.choice, sampling.images, sampling.seed) == ("reconstruction", None, None)
    output = only_of(made, StageKind.CHOOSE, "tuned").params
    assert (output.choice, output.images.num_images, output.seed) == ("output", 128, 0)


def test_the_key_of_an_order_holds_the_limits_of_its_solvers_and_not_the_name_of_an_effort(plan):
    made = plan("methods.tuned.ordering.effort=fast")
    permuted = {method: only_of(made, StageKind.PERMUTE, method).params.document() for method in ("integral", "tuned")}
    assert permuted["integral"]["ordering"]["limits"] == EFFORTS["standard"].model_dump()
    assert permuted["tuned"]["ordering"]["limits"] == EFFORTS["fast"].model_dump()
    assert not any("effort" in each["ordering"] for each in permuted.values())


def test_a_pool_counts_only_where_there_is_a_choice(plan):
    assert (
        plan().tasks.keys() == plan("methods.integral.ordering.pool=3", "methods.tuned.ordering.images=5").tasks.keys()
    )
    shortest, chosen = plan(), plan("methods.integral.ordering.choice=output")
    assert only_of(shortest, StageKind.PERMUTE, "integral").params.ordering.pool is None
    assert only_of(chosen, StageKind.PERMUTE, "integral").params.ordering.pool == 8
    assert (
        shortest.tasks.keys() - chosen.tasks.keys()
        == {  # all else stays, what `tuned` shares with it too
            task.key for point in curve_of(shortest, "integral").points for task in line_of(shortest, point.key)[:2]
        }
    )
