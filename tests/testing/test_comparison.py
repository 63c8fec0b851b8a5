"""Rows beside those that were expected."""

import pytest

from factory.testing.comparison import TextTable, UnreadableExpectationError, compare, read_expected


def table(*rows, columns=("id", "amount", "note")):
    return TextTable(columns, tuple(rows))


def found(expected, came, keys=()):
    return [
        (one.kind, one.row["id"], dict(one.cells)) for one in compare(expected, came, keys).rows
    ]


def test_order_of_rows_and_columns_does_not_matter():
    one = table(("1", "2", None), ("3", "4", "x"))
    other = table(("x", "3", "4"), (None, "1", "2"), columns=("note", "id", "amount"))
    assert compare(one, other).is_equal


def test_row_that_comes_twice_is_unexpected_once():
    one = table(("1", "2", None))
    assert found(one, table(("1", "2", None), ("1", "2", None))) == [("unexpected", "1", {})]


def test_rows_with_half_of_their_values_in_common_are_one_that_changed():
    expected = table(("1", "2", "a"), ("5", "6", "b"))
    came = table(("1", "3", "a"), ("7", "8", "b"))
    assert found(expected, came) == [
        ("missing", "5", {}),
        ("unexpected", "7", {}),
        ("changed", "1", {"amount": "3"}),
    ]


def test_rows_with_the_same_key_are_one_that_changed_whatever_else_differs():
    expected, came = table(("1", "2", "a")), table(("1", "3", None))
    assert found(expected, came, ("id",)) == [("changed", "1", {"amount": "3", "note": None})]


def test_null_is_not_an_empty_text():
    assert found(table(("1", "2", None)), table(("1", "2", ""))) == [("changed", "1", {"note": ""})]


def test_last_digits_of_sums_may_differ_and_whole_numbers_may_not():
    assert compare(table(("1", "0.3", "a")), table(("1", "0.30000000000000004", "a"))).is_equal
    big = "10000000000000"
    assert not compare(table((big + "1", "2", "a")), table((big + "2", "2", "a"))).is_equal


def test_columns_that_differ_are_named_and_the_others_compared():
    came = TextTable(("id", "amount", "extra"), (("1", "2", "x"),))
    comparison = compare(table(("1", "2", "a")), came)
    assert comparison.missing_columns == ("note",)
    assert comparison.unexpected_columns == ("extra",)
    assert comparison.rows == ()


def test_file_of_expected_rows_that_is_no_table_is_refused_with_what_to_do(tmp_path):
    file = tmp_path / "expected.csv"
    file.write_text('id,note\n1,"never closed\n2,b\n3,c,d,e\n')
    with pytest.raises(UnreadableExpectationError, match="factory test --update"):
        read_expected(file, tmp_path)
