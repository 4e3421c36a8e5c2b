import pytest
from backend_suite import BackendSuite

from orchestrator.backends import InlineBackend
from workers.attempt.entry import Provenance


class TestInlineBackend(BackendSuite):
    @pytest.fixture
    def backend(self, probe_store):
        return InlineBackend(probe_store, Provenance())
