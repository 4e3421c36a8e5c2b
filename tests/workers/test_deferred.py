import pytest
import torch

from workers.deferred import Deferred


def deferred(every=None):
    used = []
    return Deferred("cpu", lambda number, note: used.append((number, note)), every=every), used


def test_on_a_cpu_a_number_is_used_at_once():
    numbers, used = deferred()
    numbers.add(torch.tensor(0.5), "first")
    assert used == [(0.5, "first")]


def test_elsewhere_they_are_used_in_order_after_some_of_them():
    numbers, used = deferred(every=3)
    for number in range(5):
        numbers.add(torch.tensor(float(number)), number)
    assert used == [(0.0, 0), (1.0, 1), (2.0, 2)]
    numbers.read()
    assert used[3:] == [(3.0, 3), (4.0, 4)]


def test_numbers_that_are_left_are_used_before_an_error_is_told():
    def refuse(number, note):
        if number != number:
            raise ArithmeticError(f"NaN at {note}")

    def run():
        with Deferred("cpu", refuse, every=20) as numbers:
            for note, number in enumerate((1.0, torch.nan, torch.nan)):
                numbers.add(torch.tensor(number), note)
            raise ValueError("what came of it")

    with pytest.raises(ArithmeticError, match="NaN at 1"):
        run()


def test_a_truth_value_is_one_or_nothing():
    numbers, used = deferred(every=2)
    numbers.add(torch.tensor(True), "")
    numbers.add(torch.tensor(False), "")
    assert [number for number, _ in used] == [1.0, 0.0]
