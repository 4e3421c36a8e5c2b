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


def test_a_store_that_does_not_answer_for_a_moment_ends_no_driver(tmp_path, monkeypatch):
    def fail(files, sweep):
        raise OSError("stale file handle")

    monkeypatch.setattr(summarizing, "LINES_BEYOND", 1)
    monkeypatch.setattr(summarizing, "read_history", fail)
    Summarizer(open_store(tmp_path).files, "s").update(None, [DONE])
