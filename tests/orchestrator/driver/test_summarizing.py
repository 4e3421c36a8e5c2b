from jobs.outcome import Succeeded
from orchestrator.driver import summarizing
from orchestrator.driver.summarizing import Summarizer
from orchestrator.status import reading
from orchestrator.store import open_store
from orchestrator.store.summaries import summary_path

DONE = Succeeded(key="k", measurements={}, duration_s=1.0)


def test_a_long_run_is_summarised_on_its_way(tmp_path, monkeypatch):
    for module in (summarizing, reading):
        monkeypatch.setattr(module, "LINES_BEYOND", 3)
    store = open_store(tmp_path)
    observer = Summarizer(store.files, "s")
    with store.open_journal("s", "d") as journal:
        for _ in range(3):
            assert not store.files.exists(summary_path("s"))
            journal.append("avoided", node="n")
            journal.flush()
            observer.update(None, [DONE])
    assert store.files.exists(summary_path("s"))
