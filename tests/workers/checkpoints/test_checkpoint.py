import logging

import pytest

from workers.checkpoints import Checkpoint, Progress, encode

PROGRESS = Progress(where="step 3", tensors={}, record={"step": 3})


@pytest.fixture(autouse=True)
def log(caplog):
    caplog.set_level(logging.INFO, logger="orchard")
    return caplog


def test_nothing_is_saved_before_the_interval_is_over(slot):
    checkpoint = slot.checkpoint(interval_s=30)
    for slot.now in range(30):
        checkpoint.offer(lambda: pytest.fail("asked for the moment before it is due"))
    slot.now = 30
    checkpoint.offer(lambda: PROGRESS)
    assert slot.num_saved == 1


def test_two_savings_are_an_interval_apart(slot):
    checkpoint = slot.checkpoint(interval_s=30)
    for slot.now in range(100):
        checkpoint.offer(lambda: PROGRESS)
    assert slot.num_saved == 3  # at 30, 60 and 90


def test_slow_savings_take_at_most_a_twentieth_of_the_time(slot):
    def slowly(content):
        slot.save(content)
        slot.now += 10

    checkpoint = Checkpoint(load=lambda: None, save=slowly, interval_s=30, clock=lambda: slot.now)
    while slot.now < 2000:
        checkpoint.offer(lambda: PROGRESS)
        slot.now += 1
    assert slot.num_saved * 10 <= 2000 / 20
    assert slot.num_saved == 10  # every 210 s


def test_it_goes_on_from_what_was_saved_and_says_where(slot, log):
    slot.checkpoint().save(PROGRESS)
    restored = []
    slot.checkpoint().resume(restored.append)
    assert [each.record for each in restored] == [{"step": 3}]
    assert "goes on from the checkpoint at step 3" in log.text


def test_where_nothing_was_kept_it_starts_in_silence(slot, log):
    checkpoint = slot.checkpoint()
    checkpoint.resume(lambda progress: pytest.fail("there is nothing"))
    assert (checkpoint.kept, log.text) == (False, "")


@pytest.mark.parametrize("content", [b"", b"torn", encode(PROGRESS)[:-1]])
def test_a_damaged_one_is_ignored_with_a_line_in_the_log(slot, log, content):
    slot.content = content
    slot.checkpoint().resume(lambda progress: pytest.fail("it is damaged"))
    assert "the checkpoint does not fit and is ignored: it is damaged" in log.text


@pytest.mark.parametrize("error", [KeyError("step"), TypeError("epoch"), ValueError("shapes")])
def test_one_that_does_not_fit_is_ignored_with_a_line_in_the_log(slot, log, error):
    def refuse(progress):
        raise error

    slot.checkpoint().save(PROGRESS)
    slot.checkpoint().resume(refuse)
    assert f"does not fit and is ignored: {error}" in log.text


def test_one_that_cannot_be_saved_does_not_stop_the_work(slot, log):
    def full(content):
        raise OSError("no space left on device")

    checkpoint = Checkpoint(load=lambda: None, save=full, interval_s=30, clock=lambda: slot.now)
    slot.now = 30
    checkpoint.offer(lambda: PROGRESS)
    assert "no checkpoint at step 3: no space left on device" in log.text
    assert not checkpoint.kept
    checkpoint.offer(lambda: pytest.fail("tried again at once"))


def test_a_store_that_cannot_be_read_is_an_error(slot):
    # Starting anew would throw away what may be there in a second.
    def away():
        raise OSError("stale file handle")

    with pytest.raises(OSError, match="stale"):
        Checkpoint(load=away, save=slot.save).resume(lambda progress: None)


@pytest.mark.parametrize("found", [True, False])
def test_it_is_kept_once_it_was_found_or_saved(slot, found):
    slot.checkpoint().save(PROGRESS)
    checkpoint = slot.checkpoint()
    assert not checkpoint.kept
    if found:
        checkpoint.resume(lambda progress: None)
    else:
        checkpoint.save(PROGRESS)
    assert checkpoint.kept
