import os
import socket
import time

import pytest
from waiting import until

from jobs.errors import StoppedError
from orchestrator.backends.ray_cluster.link import HEAD, LOCAL, Link


def a_head():
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_a_head_that_answers_is_no_trouble():
    server, address = a_head()
    with server:
        link = Link(address, patience_s=0.1)
        time.sleep(0.3)
        link.check()
        link.close()


def test_a_head_that_is_gone_is_borne_for_a_while():
    server, address = a_head()
    server.close()
    link = Link(address, patience_s=60.0)
    time.sleep(0.1)
    link.check()
    link.close()


def test_a_head_that_stays_away_is_lost_and_the_error_says_what_to_do():
    server, address = a_head()
    server.close()
    link = Link(address, patience_s=0.1)
    until(lambda: link.lost)
    link.close()
    with pytest.raises(
        StoppedError, match=f"{address}: its head has not answered.*is kept: run the same command again"
    ):
        link.check()


def test_the_ray_process_of_this_machine_is_asked_too():
    server, address = a_head()
    gone, local = a_head()
    gone.close()
    with server:
        link = Link(address, {HEAD: address, LOCAL: local}, patience_s=0.1)
        until(lambda: link.lost)
        link.close()
        with pytest.raises(StoppedError, match="the Ray process of this machine has not answered"):
            link.check()


def test_a_loss_that_the_main_loop_has_dealt_with_ends_nothing():
    ends = []
    server, address = a_head()
    server.close()
    link = Link(address, patience_s=0.1, grace_s=0.2, end=ends.append)
    until(lambda: link.lost)
    link.close()
    time.sleep(0.4)
    assert not ends


def test_a_process_that_hangs_inside_of_ray_is_ended_with_the_same_words_and_exit_code_3(monkeypatch, capsys):
    codes = []
    monkeypatch.setattr(os, "_exit", codes.append)
    server, address = a_head()
    server.close()
    Link(address, patience_s=0.1, grace_s=0.1)
    until(lambda: codes)
    assert codes == [3]
    assert capsys.readouterr().err.startswith(f"stopped: Ray cluster at {address}: its head has not answered")
