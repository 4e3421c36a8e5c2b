"""The sweeps that a search runs."""

import pytest
from planned import ENVIRONMENT

from jobs.errors import BadInputError
from jobs.load import load_sweep
from jobs.stages.table import StageKind
from orchestrator.planning import plan_sweep
from orchestrator.search import Searched, searched_methods, sweep_of

L1 = {"kind": "criterion", "criterion": "l1"}


@pytest.fixture
def spec(tiny_sweep, write_sweep):
    def load(*overrides: str, **methods):
        tiny_sweep["methods"] |= methods
        return load_sweep(write_sweep(tiny_sweep), overrides)

    return load


def targets(spec) -> set[str]:
    return set(plan_sweep(spec, ENVIRONMENT).targets)


def stages(spec) -> set[StageKind]:
    return {task.stage for task in plan_sweep(spec, ENVIRONMENT).tasks.values()}


class TestWhatIsSearched:
    def test_all_methods_are_but_the_controls(self, spec):
        found = searched_methods(spec(random={**L1, "criterion": "random"}, other={"kind": "integral"}))
        assert [each.method for each in found] == ["l1", "other"]

    def test_a_control_is_searched_where_it_is_named(self, spec):
        found = searched_methods(spec(random={**L1, "criterion": "random"}), ["random"])
        assert [each.method for each in found] == ["random"]

    def test_a_method_with_one_model_and_one_protocol_keeps_its_name(self, spec):
        assert searched_methods(spec()) == (Searched(model="net", method="l1", protocol="none", name="l1"),)

    def test_models_and_protocols_are_searched_one_by_one(self, spec, tiny_sweep):
        tiny_sweep["models"]["other"] = tiny_sweep["models"]["net"]
        tiny_sweep["protocols"] = {"again": {"kind": "recalibrate"}}
        found = searched_methods(spec(l1={**L1, "protocols": ["none", "again"]}))
        assert [each.name for each in found] == ["l1-net-none", "l1-net-again", "l1-other-none", "l1-other-again"]
        assert [each.label for each in found] == ["net/l1", "net/l1/again", "other/l1", "other/l1/again"]

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("dense", "method 'dense' removes nothing, so there is nothing to search"),
            ("given", "method 'given' has predefined widths, so there is nothing to search"),
            ("gives", "method 'gives': did you mean 'given'?"),
        ],
    )
    def test_what_has_no_compression_cannot_be_named(self, spec, name, reason):
        given = {**L1, "allocation": {"kind": "predefined", "widths": {"conv1": 4}, "compression": 0.3}}
        with pytest.raises(BadInputError) as caught:
            searched_methods(spec(given=given), [name])
        assert reason in str(caught.value)
        assert [each.method for each in searched_methods(spec(given=given))] == ["l1"]


class TestASweepOfTheSearch:
    def test_its_networks_have_the_keys_of_the_sweep_file(self, spec):
        (l1,) = searched_methods(spec())
        assert targets(sweep_of(spec(), "tiny-found", "test", {l1: [20, 40]})) == targets(spec())

    def test_the_validation_split_makes_other_points_of_the_same_networks(self, spec):
        (l1,) = searched_methods(spec())
        on = {split: sweep_of(spec(), "tiny-search", split, {l1: [20]}) for split in ("validation", "test")}
        assert not targets(on["validation"]) & targets(on["test"])
        tasks = [plan_sweep(each, ENVIRONMENT).tasks.values() for each in on.values()]
        one, other = ({task.key for task in each if task.stage is not StageKind.EVALUATE} for each in tasks)
        assert one == other

    def test_transfers_are_judged_on_the_validation_split_of_their_own_data(self, spec, tiny_sweep):
        here = "tests.support.with_backbone"
        data = {"dataset": f"{here}:brightened", "root": "/bright"}
        move = {"kind": "transfer", "network": f"{here}:with_backbone", "data": data, "train": {"epochs": 1}}
        tiny_sweep["protocols"] = {"move": {**move, "objective": f"{here}:brightening"}}
        dense = {"kind": "dense", "protocols": ["none", "move"]}
        both = spec(dense=dense, l1={**L1, "protocols": ["move"]})
        (l1,) = searched_methods(both)
        assert sweep_of(both, "tiny-search", "validation", {l1: [20]}).protocols["move"].data.split == "validation"

    def test_on_validation_only_metrics_are_measured(self, spec, tiny_sweep):
        tiny_sweep["measure"] = {"latency": {}, "quantize": ["int8"]}
        (l1,) = searched_methods(spec())
        further = {StageKind.TIME, StageKind.QUANTIZE}
        assert not further & stages(sweep_of(spec(), "tiny-search", "validation", {l1: [20]}))
        assert further <= stages(sweep_of(spec(), "tiny-found", "test", {l1: [20]}))

    def test_what_has_no_compression_is_left_out_and_the_dense_network_stays(self, spec):
        (l1,) = searched_methods(spec())
        assert list(sweep_of(spec(), "tiny-found", "test", {l1: []}).methods) == ["dense"]

    def test_a_method_that_guides_another_one_is_measured_with_it(self, spec):
        led = {**L1, "allocation": {"kind": "guided", "method": "l1"}}
        (found,) = searched_methods(spec(led=led), ["led"])
        made = sweep_of(spec(led=led), "tiny-search", "test", {found: [20]})
        assert made.compressions_of("l1") == made.compressions_of("led") == (0.2,)
        assert targets(made) <= targets(spec(led=led))

    def test_without_a_dense_network_the_remedy_is_named(self, spec, tiny_sweep):
        del tiny_sweep["methods"]["dense"]
        (l1,) = searched_methods(spec())
        with pytest.raises(BadInputError, match=r"add `dense: \{kind: dense\}` to its methods"):
            sweep_of(spec(), "tiny-search", "test", {l1: [20]})

    def test_names_that_cannot_be_told_apart_are_refused(self, spec, tiny_sweep):
        tiny_sweep["models"]["other"] = tiny_sweep["models"]["net"]
        methods = {"l1-net": {**L1, "models": ["net"]}}
        searched = searched_methods(spec(**methods), ["l1"])
        with pytest.raises(BadInputError, match="two methods would be called 'l1-net' in the search; rename 'l1'"):
            sweep_of(spec(**methods), "tiny-search", "test", {each: [20] for each in searched})

    def test_a_name_that_gets_too_long_is_refused(self, spec):
        (l1,) = searched_methods(spec())
        with pytest.raises(BadInputError, match="is not valid"):
            sweep_of(spec(), "a" * 81, "test", {l1: [20]})

    def test_in_a_search_nothing_races(self, spec, tiny_sweep):
        race = {"rungs": [0.5]}
        tiny_sweep["protocols"] = {"tuned": {"kind": "fine-tune", "train": {"epochs": 2}, "race": race}}
        both = {name: {"kind": "criterion", "criterion": name, "protocols": ["tuned"]} for name in ("l1", "l2")}
        first, second = searched_methods(spec(**both))
        assert StageKind.RACE in stages(spec(**both))
        assert StageKind.RACE not in stages(
            sweep_of(spec(**both), "tiny-search", "validation", {first: [20], second: [20]})
        )
