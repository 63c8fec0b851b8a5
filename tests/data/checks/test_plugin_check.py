"""A check of somebody else's package is validated, counted and run as the built-in ones are."""

import pytest
from pydantic import TypeAdapter, ValidationError

from factory.base.section import Surroundings
from factory.data.checks.check import AnyCheck
from factory.data.checks.run import CheckFailedError, check
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of
from tests.plugins import installed

CODE = '''
from typing import Literal

from factory.base.section import Text
from factory.data.checks.check import Check, CheckedRows, CheckFinding


class Even(Check):
    """Every number is even."""

    check: Literal["even"]
    column: Text

    def failing(self) -> str:
        return f'"{self.column}" % 2 <> 0'


class Sum(Check):
    """The numbers have this sum."""

    check: Literal["sum"]
    column: Text
    total: int

    def find(self, rows: CheckedRows) -> CheckFinding:
        [(found,)] = rows.result.aggregate(f'sum("{self.column}")').fetchall()
        return CheckFinding() if found == self.total else CheckFinding(f"the sum is {found}")
'''


@pytest.fixture(autouse=True)
def plugin(tmp_path):
    with installed(tmp_path, "acme_checks", CODE, check={"even": "Even", "sum": "Sum"}):
        yield


def validated(tmp_path, *plugins, **section):
    context = Surroundings(tmp_path, (), plugins)
    return TypeAdapter(AnyCheck).validate_python(section, context=context)


def test_check_of_a_plugin_finds_rows_one_by_one_and_together(tmp_path):
    with pytest.raises(CheckFailedError) as caught:
        check(
            [
                validated(tmp_path, "acme_checks", check="even", column="x"),
                validated(tmp_path, "acme_checks", check="sum", column="x", total=7),
                validated(tmp_path, "acme_checks", check="sum", column="x", total=6),
                validated(tmp_path, "acme_checks", check="even", column="y"),
            ],
            rows_of("select * from (values (1), (2), (3)) as t(x)", tmp_path),
            columns=None,
            write=Write(),
            lake=lake_in(tmp_path),
            dataset="a.b",
        )
    even, wrong, right, unknown = caught.value.report.results
    assert (even.description, even.message) == ("even(x)", "2 rows")
    assert even.sample == [{"x": 1}, {"x": 3}]
    assert wrong.message == "the sum is 6"
    assert right.status == "pass"
    assert unknown.message.startswith("no column 'y'")


def test_check_of_a_plugin_must_be_allowed_and_is_found_again_in_a_document(tmp_path):
    section = {"check": "even", "column": "x"}
    with pytest.raises(ValidationError, match="even"):
        validated(tmp_path, **section)
    assert TypeAdapter(AnyCheck).validate_python(section).check == "even"
