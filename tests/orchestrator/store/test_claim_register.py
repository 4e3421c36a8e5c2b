"""The table of claims on a folder and on an object store: one order of changes for all."""

import threading

import pytest

from orchestrator.store import LeaseTerm
from orchestrator.store.claim_register import CLAIMS, ClaimRegister, ClaimTable
from orchestrator.store.files import FolderFiles

A, B = LeaseTerm(sweep="a", number=1), LeaseTerm(sweep="b", number=7)


@pytest.fixture(params=["folder", "objects"])
def files(request, tmp_path):
    return FolderFiles(tmp_path) if request.param == "folder" else request.getfixturevalue("objects")


def having(term, *keys):
    """A change after which a driver has these keys."""
    return lambda table: ClaimTable(keys={**table.keys, term: frozenset(keys)})


def test_a_change_is_seen_by_all(files):
    one, other = ClaimRegister(files), ClaimRegister(files)
    one.update(having(A, "x"))
    assert other.has_changed()
    assert other.read().keys == {A: frozenset({"x"})}
    assert not other.has_changed()


def test_a_change_to_a_table_that_has_changed_is_made_again(files):
    one, other = ClaimRegister(files), ClaimRegister(files)
    one.update(having(A, "x"))
    seen = []

    def change(table):
        seen.append(A in table.keys)
        return having(B, "y")(table)

    assert other.update(change).keys == {A: frozenset({"x"}), B: frozenset({"y"})}
    assert seen[:2] == [False, True]


def test_nothing_is_written_where_nothing_changes(tmp_path):
    files = FolderFiles(tmp_path)
    register = ClaimRegister(files)
    for _ in range(3):
        register.update(having(A, "x"))
    assert files.names(CLAIMS) == ["00000001.json"]


def test_old_tables_are_deleted_and_whoever_slept_meanwhile_finds_the_newest(tmp_path):
    files = FolderFiles(tmp_path)
    sleeper, other = ClaimRegister(files), ClaimRegister(files)
    sleeper.update(having(A, "x"))
    for number in range(100):
        other.update(having(B, str(number)))
    assert len(files.names(CLAIMS)) <= 32
    assert not files.exists(f"{CLAIMS}/00000002.json")
    assert sleeper.update(having(A, "z")).keys == {A: frozenset({"z"}), B: frozenset({"99"})}
    assert other.read() == sleeper.table


def test_changes_at_once_all_stand(files):
    terms = [LeaseTerm(sweep=f"s{number}", number=1) for number in range(4)]

    def work(term):
        register = ClaimRegister(files)
        for number in range(5):
            register.update(having(term, str(number)))

    threads = [threading.Thread(target=work, args=[term]) for term in terms]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ClaimRegister(files).read().keys == dict.fromkeys(terms, frozenset({"4"}))


def test_where_the_newest_table_is_damaged_the_others_may_have_claimed_anything(tmp_path):
    files = FolderFiles(tmp_path)
    register = ClaimRegister(files)
    register.update(having(A, "x"))
    register.update(having(B, "y"))
    files.replace(f"{CLAIMS}/00000002.json", b"damaged")
    assert ClaimRegister(files).read().keys == {A: None}
    files.replace(f"{CLAIMS}/00000001.json", b"damaged")
    assert ClaimRegister(files).read().keys == {}


def test_a_table_is_read_as_it_was_written():
    table = ClaimTable(keys={A: None, B: frozenset({"x", "y"})})
    assert ClaimTable.from_bytes(table.to_bytes()) == table
