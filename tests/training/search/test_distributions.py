"""What values are drawn from: bounds, steps, whole numbers, and how often what is drawn."""

import statistics

import numpy as np
import pytest
from pydantic_core import PydanticCustomError
from scipy import stats

from factory.training.search.candidate import RandomDraws
from factory.training.search.distributions import DISTRIBUTIONS
from factory.training.search.spaces import check_values

WRITTEN = {
    "uniform": [0.5, 2.0],
    "loguniform": [0.001, 10],
    "randint": [2, 9],
    "normal": [5.0, 2.0],
    "lognormal": [0.0, 1.0],
    "quniform": [10, 50, 10],
    "qloguniform": [4, 256, 4],
    "qnormal": [100, 10, 5],
}


def drawn(kind: str, numbers: list, count: int = 4000) -> list:
    draws = RandomDraws(7)
    return [draws.number(("x",), kind, numbers) for _ in range(count)]


def test_each_distribution_has_numbers_here():
    assert WRITTEN.keys() == DISTRIBUTIONS.keys()


@pytest.mark.parametrize(("kind", "numbers"), WRITTEN.items())
def test_what_is_drawn_lies_within_the_outermost_values_and_comes_again_with_the_seed(
    kind, numbers
):
    assert check_values({kind: numbers}) == {kind: numbers}
    low, high = DISTRIBUTIONS[kind].outermost(numbers)
    found = drawn(kind, numbers)
    assert found == drawn(kind, numbers)
    assert low <= min(found) <= max(found) <= high


@pytest.mark.parametrize(
    ("kind", "numbers", "known"),
    [
        ("uniform", [0.5, 2.0], stats.uniform(0.5, 1.5)),
        ("loguniform", [0.001, 10], stats.loguniform(0.001, 10)),
        ("normal", [5.0, 2.0], stats.norm(5, 2)),
        ("lognormal", [0.5, 0.8], stats.lognorm(0.8, scale=np.exp(0.5))),
    ],
)
def test_draws_and_shares_are_those_of_scipy(kind, numbers, known):
    assert stats.kstest(drawn(kind, numbers), known.cdf).pvalue > 0.01
    for share in (0.05, 0.5, 0.95):
        assert DISTRIBUTIONS[kind].at(share, numbers) == pytest.approx(known.ppf(share))


def test_steps_are_whole_numbers_where_all_that_is_written_is_whole():
    assert set(drawn("quniform", [10, 50, 10])) == {10, 20, 30, 40, 50}
    assert all(type(one) is int for one in drawn("quniform", [10, 50, 10], 20))
    assert set(drawn("quniform", [0.1, 0.4, 0.1])) == {0.1, 0.2, 0.3, 0.4}
    assert set(drawn("quniform", [1, 2, 0.5])) == {1.0, 1.5, 2.0}
    assert all(one % 5 == 0 and type(one) is int for one in drawn("qnormal", [100, 10, 5], 200))


def test_steps_by_orders_of_magnitude_are_small_more_often():
    found = drawn("qloguniform", [4, 256, 4])
    assert {type(one) for one in found} == {int}
    assert min(found) == 4
    assert max(found) <= 256
    assert statistics.median(found) < 64


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"normal": [1.0, 0]}, "needs a standard deviation above 0"),
        ({"normal": [1.0]}, r"takes \[mean, standard deviation\]"),
        ({"lognormal": [1000, 1]}, "e to their power is no number"),
        ({"quniform": [1, 10]}, r"takes \[low, high, step\]"),
        ({"quniform": [1, 10, 0]}, "a step between them"),
        ({"quniform": [1, 10, 20]}, "a step between them"),
        ({"qloguniform": [0, 10, 1]}, "both above 0"),
        ({"qloguniform": [5, 9, 8]}, "several multiples lie between"),
        ({"qnormal": [1, 1, -1]}, "needs a step above 0"),
        ({"uniform": [2, 1]}, "needs low < high"),
    ],
)
def test_numbers_that_make_no_distribution_are_told(written, message):

    with pytest.raises(PydanticCustomError, match=message):
        check_values(written)


def test_steps_lead_from_the_first_value_and_not_beyond_the_last():
    draw = np.random.default_rng(3)
    for _ in range(2000):
        low, width = float(draw.uniform(-100, 100)), float(draw.uniform(0.01, 100))
        numbers = [low, low + width, width * float(draw.uniform(0.001, 1))]
        assert DISTRIBUTIONS["quniform"].wrong(numbers) is None
        value = DISTRIBUTIONS["quniform"].at(float(draw.random()), numbers)
        assert low - 1e-9 <= value <= low + width + 1e-9
        steps = (value - low) / numbers[2]
        assert steps == pytest.approx(round(steps), abs=1e-4)
