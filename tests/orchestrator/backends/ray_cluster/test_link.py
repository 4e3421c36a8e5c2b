import socket

import pytest

from jobs.errors import OrchardError
from orchestrator.backends.ray_cluster.link import Link


def a_head():
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"127.0.0.1:{server.getsockname()[1]}"


def test_a_head_that_answers_is_no_trouble():
    server, address = a_head()
    with server:
        Link(address, patience_s=1.0).check()


def test_a_head_that_is_gone_is_borne_for_a_while():
    server, address = a_head()
    server.close()
    Link(address, patience_s=60.0).check()


def test_a_head_that_stays_away_is_lost_and_the_error_says_what_to_do():
    server, address = a_head()
    server.close()
    with pytest.raises(OrchardError, match=f"{address}.*has not answered.*is kept: run the same command again"):
        Link(address, patience_s=0.0).check()
