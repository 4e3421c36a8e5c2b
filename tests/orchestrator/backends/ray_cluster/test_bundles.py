from hypothesis import given
from hypothesis import strategies as st
from plain_tasks import plain_tasks

from jobs.resources import Resources
from jobs.task import Attempt
from orchestrator.backends.ray_cluster.bundles import LONGEST_BUNDLE_S, MOST_IN_A_BUNDLE, TINY_S, pack

ONE_CPU, A_GPU = Resources(), Resources(num_gpus=1.0)


def tries(count, *, expected_s=0.001, resources=ONE_CPU, avoid=(), number=1):
    return [
        Attempt(task=task, number=number, resources=resources, avoid=frozenset(avoid), expected_s=expected_s)
        for task in plain_tasks(count).values()
    ]


def sizes(attempts, slots=4, waiting=0):
    bundles = pack(attempts, slots=lambda resources: slots, waiting=lambda resources: waiting)
    return [len(bundle) for bundle in bundles]


def test_tiny_attempts_travel_together_two_bundles_per_slot():
    assert sizes(tries(64), slots=4) == [8] * 8


def test_a_few_more_are_packed_like_those_in_flight():
    assert sizes(tries(8), slots=4, waiting=56) == [8]


def test_few_attempts_are_spread_over_the_slots():
    assert sizes(tries(8), slots=4) == [1] * 8


def test_attempts_of_unknown_length_travel_alone():
    assert sizes(tries(64, expected_s=0.0)) == [1] * 64


def test_long_attempts_travel_alone():
    assert sizes(tries(64, expected_s=2 * TINY_S)) == [1] * 64


def test_an_attempt_that_failed_before_travels_alone():
    assert sizes(tries(64, number=2)) == [1] * 64


def test_a_bundle_is_bounded_in_number_and_in_time():
    assert max(sizes(tries(10_000), slots=1)) == MOST_IN_A_BUNDLE
    assert max(sizes(tries(10_000, expected_s=TINY_S), slots=1)) == LONGEST_BUNDLE_S // TINY_S


def test_where_no_slot_is_there_yet_attempts_travel_alone():
    assert sizes(tries(64), slots=0) == [1] * 64


def test_bundles_are_of_one_request_and_keep_their_places():
    cpu, gpu, elsewhere = tries(32), tries(32, resources=A_GPU), tries(32, avoid=["n1"])
    mixed = [each for three in zip(cpu, gpu, elsewhere, strict=True) for each in three]
    bundles = pack(mixed, slots=lambda resources: 1, waiting=lambda resources: 0)
    assert all(len({(each.resources, each.avoid) for each in bundle}) == 1 for bundle in bundles)
    assert [bundle[0].resources for bundle in bundles[:2]] == [ONE_CPU, A_GPU]


@given(
    lengths=st.lists(st.sampled_from([0.0, 0.001, TINY_S, 1.0]), max_size=100),
    slots=st.integers(0, 8),
    waiting=st.integers(0, 100),
)
def test_every_attempt_travels_once_and_in_order(lengths, slots, waiting):
    attempts = [each for length in lengths for each in tries(1, expected_s=length)]
    bundles = pack(attempts, slots=lambda resources: slots, waiting=lambda resources: waiting)
    packed = [id(each) for bundle in bundles for each in bundle]
    assert sorted(packed) == sorted(map(id, attempts))
    places = {id(each): place for place, each in enumerate(attempts)}
    assert all([places[id(e)] for e in bundle] == sorted(places[id(e)] for e in bundle) for bundle in bundles)
    assert [places[id(bundle[0])] for bundle in bundles] == sorted(places[id(bundle[0])] for bundle in bundles)
