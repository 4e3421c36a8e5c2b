import os
import signal
import threading

import pytest

from jobs.outcome import Cause, Failed, Succeeded
from orchestrator.backends.ray_cluster.notice import handed_over, heed_notice


def test_the_notice_is_heeded_and_the_process_goes_on():
    before = signal.getsignal(signal.SIGTERM)
    with heed_notice() as told:
        assert not told()
        os.kill(os.getpid(), signal.SIGTERM)
        assert told()
    assert signal.getsignal(signal.SIGTERM) is before


def test_in_another_thread_nothing_is_changed():
    found = []

    def run():
        with heed_notice() as told:
            found.append(told())

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert found == [False]


@pytest.mark.parametrize(
    ("cause", "expected"), [(Cause.CANCELLED, Cause.PREEMPTED), (Cause.BAD_INPUT, Cause.BAD_INPUT)]
)
def test_what_stopped_after_it_is_handed_over(cause, expected):
    assert handed_over(Failed(key="k", cause=cause, message="m")).cause is expected


def test_what_was_done_by_then_counts():
    done = Succeeded(key="k", measurements={}, duration_s=1.0)
    assert handed_over(done) is done
