import threading

import pytest

from factory.base.parallel import in_order


def test_results_come_in_the_things_order():
    gates = [threading.Event() for _ in range(4)]

    def work(number):
        # Each waits for the one after it, which it overtakes therefore.
        if 0 < number < 3:
            assert gates[number + 1].wait(10)
        gates[number].set()
        return number * number

    assert list(in_order(range(4), work, at_once=3)) == [(0, 0), (1, 1), (2, 4), (3, 9)]


def test_the_first_is_done_before_any_other_begins():
    threads = []

    def work(_):
        threads.append(threading.current_thread())

    list(in_order(range(3), work, at_once=2))
    assert threads[0] is threading.main_thread()
    assert threading.main_thread() not in threads[1:]


def test_things_are_asked_for_as_they_are_needed():
    asked = []

    def things():
        for number in range(100):
            asked.append(number)
            yield number

    results = in_order(things(), lambda number: number, at_once=4)
    for _ in range(10):
        next(results)
    results.close()
    assert len(asked) <= 15


def test_an_error_ends_it_and_what_has_not_begun_is_not_begun():
    begun = []

    def work(number):
        begun.append(number)
        if number == 3:
            raise ValueError("three")

    with pytest.raises(ValueError, match="three"):
        list(in_order(range(1000), work, at_once=2))
    assert len(begun) < 10


def test_nothing_is_no_results():
    assert list(in_order([], str, at_once=2)) == []
