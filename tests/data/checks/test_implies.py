"""Which checks make others needless: what decides whether a contract is loosened."""

import pytest
from pydantic import TypeAdapter

from factory.data.checks.check import AnyCheck


def check(**written):
    return TypeAdapter(AnyCheck).validate_python(written)


@pytest.mark.parametrize(
    ("strict", "loose"),
    [
        (
            {"check": "not_null", "columns": ("a", "b")},
            {"check": "not_null", "columns": ("b",)},
        ),
        ({"check": "unique", "columns": ("a",)}, {"check": "unique", "columns": ("a", "b")}),
        (
            {"check": "between", "column": "a", "min": 1.0, "max": 2.0},
            {"check": "between", "column": "a", "min": 0.0},
        ),
        (
            {"check": "accepted_values", "column": "a", "values": ("x",)},
            {"check": "accepted_values", "column": "a", "values": ("x", "y")},
        ),
        (
            {"check": "freshness", "column": "a", "max_age": "1h"},
            {"check": "freshness", "column": "a", "max_age": "1d"},
        ),
    ],
)
def test_a_stricter_check_implies_a_looser_one_and_not_the_other_way(strict, loose):
    assert check(**strict).implies(check(**loose))
    assert not check(**loose).implies(check(**strict))
    assert check(**loose).implies(check(**loose, on_fail="warn"))


def test_checks_of_other_columns_or_kinds_imply_nothing():
    one = check(check="between", column="a", min=0.0)
    assert not one.implies(check(check="between", column="b", min=0.0))
    assert not one.implies(check(check="mean_between", column="a", min=0.0))
