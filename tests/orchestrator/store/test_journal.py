from orchestrator.store import Journal, read_journal


def test_entries_come_back_in_order(tmp_path):
    with Journal(tmp_path / "a" / "j.jsonl") as journal:
        journal.append("start", tasks=3)
        journal.append("end")
    entries = list(read_journal(tmp_path / "a" / "j.jsonl"))
    assert [(entry["kind"], entry.get("tasks")) for entry in entries] == [("start", 3), ("end", None)]


def test_a_torn_last_line_costs_itself_only(tmp_path):
    path = tmp_path / "j.jsonl"
    with Journal(path) as journal:
        journal.append("first")
        journal.append("torn")
    path.write_bytes(path.read_bytes()[:-7])
    with Journal(path) as journal:
        journal.append("after")
    assert [entry["kind"] for entry in read_journal(path)] == ["first", "after"]


def test_what_was_flushed_is_on_disk_before_closing(tmp_path):
    journal = Journal(tmp_path / "j.jsonl")
    journal.append("first")
    journal.flush()
    assert [entry["kind"] for entry in read_journal(tmp_path / "j.jsonl")] == ["first"]
    journal.close()
