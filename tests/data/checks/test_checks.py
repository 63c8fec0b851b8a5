"""Each check finds the rows it is for, on the dataset as it will be once published."""

import logging
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import TypeAdapter

from factory.base.errors import TerminalError
from factory.data.checks.check import AnyCheck, Check
from factory.data.checks.run import CheckFailedError, CheckReport, check
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of

PENGUINS = """
    select * from (values
        (1, 'Adelie', 3700.0::double, date '2026-01-01'),
        (2, 'Gentoo', 5000.0, date '2026-01-02'),
        (2, 'gentoo', null, null),
        (null, null, 'nan', date '2026-01-03')
    ) as t(id, species, mass, seen)
"""


def one(**options) -> Check:
    return TypeAdapter(AnyCheck).validate_python(options)


@pytest.fixture
def run(tmp_path):
    def run(*checks, query=PENGUINS, columns=None, write=None, now=None, **how) -> CheckReport:
        return check(
            checks,
            rows_of(query, tmp_path),
            columns=columns,
            write=write or Write(),
            lake=lake_in(tmp_path),
            dataset="marine.penguins",
            now=now,
            **how,
        )

    return run


@pytest.fixture
def failing(run):
    def failing(*checks, **how) -> CheckReport:
        with pytest.raises(CheckFailedError) as caught:
            run(*checks, **how)
        return caught.value.report

    return failing


@pytest.mark.parametrize(
    "options",
    [
        {"check": "not_null", "columns": ["id"]},
        {"check": "accepted_values", "column": "species", "values": ["Adelie", "Gentoo"]},
        {"check": "between", "column": "mass", "max": 4000},
        {"check": "matches", "column": "species", "pattern": "^[A-Z]"},
        {"check": "row_count", "min": 5},
        {"check": "row_count", "max": 3},
        {"check": "unique", "columns": ["id"]},
        {"check": "unique", "columns": ["id", "id"]},
        {"check": "expression", "expression": "mass > 3000 -- kilograms are for later"},
        {"check": "expression", "expression": "id = (select max(id) from result)"},
        {"check": "expression", "expression": "count(*) over (partition by id) = 1"},
        {"check": "freshness", "column": "seen", "max_age": "1d"},
    ],
    ids=lambda options: options["check"],
)
def test_failing_check_halts(failing, options):
    report = failing(one(**options), now=datetime(2026, 1, 5, tzinfo=UTC))
    assert [result.name for result in report.failures] == [options["check"]]
    assert report.failures[0].message


@pytest.mark.parametrize(
    "options",
    [
        {"check": "not_null", "columns": ["x"]},
        {"check": "accepted_values", "column": "x", "values": [1, 2, 3]},
        {"check": "between", "column": "x", "min": 1, "max": 2},
        {"check": "matches", "column": "x", "pattern": "^[12]$"},
        {"check": "row_count", "min": 2, "max": 2},
        {"check": "unique", "columns": ["x"]},
        {"check": "expression", "expression": "x < 3"},
        {"check": "freshness", "column": "at", "max_age": "1d"},
    ],
    ids=lambda options: options["check"],
)
def test_check_passes_on_good_rows(run, options):
    query = "select x, timestamp '2026-01-01 12:00' as at from (values (1), (2)) as t(x)"
    report = run(one(**options), query=query, now=datetime(2026, 1, 2, 11, tzinfo=UTC))
    assert [(result.status, result.failing_rows) for result in report.results] == [("pass", 0)]


@pytest.mark.parametrize(
    "options",
    [
        {"check": "accepted_values", "column": "x", "values": [1]},
        {"check": "between", "column": "x", "min": 1},
        {"check": "matches", "column": "x", "pattern": "1"},
        {"check": "unique", "columns": ["x"]},
    ],
    ids=lambda options: options["check"],
)
def test_nulls_pass_as_in_dbt(run, options):
    run(one(**options), query="select null::integer as x from range(2)")


def test_expression_must_be_true_and_not_null(failing):
    report = failing(one(check="expression", expression="x > 0"), query="select null::int as x")
    assert report.failures[0].failing_rows == 1


def test_what_is_no_number_is_null_to_every_check(run, failing):
    report = failing(one(check="not_null", columns=["mass"]))
    assert report.failures[0].failing_rows == 2
    run(one(check="between", column="mass", min=0, max=5000))
    run(one(check="expression", expression="mass is null or mass < 6000"))


MEASURED = "select * from (values (1.0, 'a'), (2, 'a'), (null, 'b'), (9, 'b')) t(x, name)"


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"check": "not_null_proportion", "column": "x", "min": 0.8}, "75 % of the rows have a value"),
        ({"check": "mean_between", "column": "x", "max": 3}, "the mean is 4"),
        ({"check": "quantile_between", "column": "x", "quantile": 0.5, "min": 3}, "the quantile 0.5 is 2"),
        ({"check": "distinct_count", "column": "name", "min": 3}, "there are 2 different values"),
    ],
    ids=lambda options: options["check"] if isinstance(options, dict) else "",
)  # fmt: skip
def test_a_number_outside_its_bounds_is_told(run, failing, options, found):
    assert failing(one(**options), query=MEASURED).failures[0].message == found
    highest = 1 if options["check"] == "not_null_proportion" else 100
    run(one(**{**options, "min": 0, "max": highest}), query=MEASURED)


@pytest.mark.parametrize("check", ["mean_between", "not_null_proportion"])
def test_a_number_of_no_rows_passes(run, check):
    run(one(check=check, column="x", min=1), query=f"{MEASURED} where false")


def test_rows_that_are_the_same_in_all_columns_are_duplicates(run, failing):
    query = "select * from (values (1, null), (1, null), (1, 'a'), (2, 'a')) t(x, y)"
    [result] = failing(one(check="no_duplicates"), query=query).failures
    assert (result.failing_rows, result.message) == (2, "2 rows are 1 different ones")
    assert result.sample == [{"number of rows": 2, "x": 1, "y": None}]
    run(one(check="no_duplicates"), query=f"select distinct * from ({query})")


def test_two_columns_are_compared_row_by_row_and_nulls_pass(failing):
    query = "select * from (values (1, 2), (3, 2), (null, 2), (2, 2)) t(sold, caught)"
    [result] = failing(
        one(check="column_pair", columns=["sold", "caught"], relation="<="), query=query
    ).failures
    assert (result.description, result.failing_rows) == ("column_pair(sold <= caught)", 1)


def test_failing_rows_are_counted_and_sampled_with_the_checked_column_first(failing):
    report = failing(
        one(check="between", column="x", max=9),
        query="select 'a' as name, i as x from range(100) t(i)",
    )
    [result] = report.failures
    assert (result.failing_rows, result.message) == (90, "90 rows")
    assert len(result.sample) == 5
    assert result.sample[0] == {"x": 10, "name": "a"}
    assert list(result.sample[0]) == ["x", "name"]


def test_repeated_values_are_sampled_with_their_number(failing):
    report = failing(
        one(check="unique", columns=["x"]), query="select least(i, 3) as x from range(6) t(i)"
    )
    [result] = report.failures
    assert (result.failing_rows, result.message) == (3, "3 rows share 1 values")
    assert result.sample == [{"x": 3, "number of rows": 3}]


def test_every_check_runs_whatever_the_others_find(failing):
    report = failing(
        one(check="not_null", columns=["id"]),
        one(check="row_count", min=1),
        one(check="between", column="mass", max=1, on_fail="warn"),
        one(check="matches", column="species", pattern="Adelie"),
    )
    assert [result.status for result in report.results] == ["fail", "pass", "warn", "fail"]
    assert report.rows == 4


def test_warnings_do_not_halt(run):
    report = run(one(check="row_count", min=300, on_fail="warn"))
    assert [result.message for result in report.warnings] == ["there are 4 rows"]


def test_error_names_dataset_checks_and_findings_and_is_terminal(run):
    with pytest.raises(CheckFailedError) as caught:
        run(one(check="not_null", columns=["id"]), one(check="row_count", max=2))
    assert isinstance(caught.value, TerminalError)
    message = str(caught.value)
    assert message.startswith("marine.penguins: 2 of 2 checks failed, nothing was published")
    assert "not_null(id): 1 rows; row_count(at most 2): there are 4 rows" in message


@pytest.mark.parametrize("on_fail", ["halt", "warn"])
def test_unknown_column_fails_with_a_suggestion_and_takes_no_other_check_along(failing, on_fail):
    report = failing(
        one(check="not_null", columns=["specie"], on_fail=on_fail), one(check="row_count", min=1)
    )
    assert [result.status for result in report.results] == ["fail", "pass"]
    assert "no column 'specie' (did you mean `species`?)" in report.failures[0].message
    assert "the columns are id, species, mass, seen" in report.failures[0].message


@pytest.mark.parametrize(
    "options",
    [
        {"check": "between", "column": "species", "min": 1},
        {"check": "accepted_values", "column": "id", "values": ["one"]},
        {"check": "matches", "column": "species", "pattern": "(?=A)"},
        {"check": "expression", "expression": "mas > 3"},
        {"check": "expression", "expression": "true) or (read_text('/etc/passwd') = ''"},
        {"check": "freshness", "column": "species", "max_age": "1d"},
        {"check": "freshness", "column": "mass", "max_age": "1d"},
    ],
    ids=str,
)
def test_check_that_cannot_run_fails_alone(failing, options):
    report = failing(
        one(**options, on_fail="warn"),
        one(check="not_null", columns=["mass"], on_fail="warn"),
        one(check="row_count", min=4),
    )
    assert [result.status for result in report.results] == ["fail", "warn", "pass"]
    assert report.rows == 4


def test_freshness_takes_times_with_and_without_a_zone(run, failing):
    fresh = one(check="freshness", column="at", max_age="1h")
    now = datetime(2026, 1, 1, 12, tzinfo=UTC)
    for kind in ("timestamp '2026-01-01 11:30'", "timestamptz '2026-01-01 12:30+01:00'"):
        query = f"select {kind} as at union all select null"
        run(fresh, query=query, now=now)
        report = failing(fresh, query=query, now=now + timedelta(hours=1))
        assert "5,400 s old" in report.failures[0].message


def test_freshness_of_no_rows_fails(failing):
    report = failing(
        one(check="freshness", column="at", max_age="1h"), query="select now() as at limit 0"
    )
    assert report.failures[0].message == "there is no time in any row"


def test_promised_columns_pass_whatever_the_types_are_called(run):
    promised = {"id": "int", "species": "text", "mass": "float8", "seen": "date"}
    assert run(columns=promised).results[0].status == "pass"


def test_broken_promise_names_every_column(failing):
    promised = {"id": "bigint", "speces": "varchar", "mass": "double", "seen": "dte"}
    [result] = failing(columns=promised).failures
    assert "speces is missing (did you mean `species`?)" in result.message
    assert "species (VARCHAR) is not declared" in result.message
    assert "id is INTEGER instead of BIGINT" in result.message
    assert "'dte' is not a DuckDB type" in result.message


def publish(tmp_path, query: str) -> None:
    lake = lake_in(tmp_path)
    publishing.publish(
        lake, "marine.penguins", rows_of(query, tmp_path).file, Write(), run_id="earlier"
    )


TWO = "select * from (values (1, 'a'), (2, 'b')) as t(id, name)"


def test_append_is_checked_together_with_what_is_published(tmp_path, failing, run):
    publish(tmp_path, TWO)
    unique = one(check="unique", columns=["id"])
    append = Write(mode="append")
    report = failing(unique, query="select 2 as id, 'c' as name", write=append)
    assert report.rows == 3
    assert run(unique, query="select 'c' as name, 3 as id", write=append).rows == 3


def test_merge_is_checked_without_the_rows_that_it_replaces(tmp_path, run, failing):
    publish(tmp_path, TWO)
    merge = Write(mode="merge", keys=("id",))
    same = one(check="accepted_values", column="name", values=["a", "c"])
    report = run(
        one(check="unique", columns=["id"]), same, query="select 2 as id, 'c' as name", write=merge
    )
    assert report.rows == 2
    assert (
        failing(same, query="select 1 as id, 'c' as name", write=merge).failures[0].failing_rows
        == 1
    )


def test_replace_is_checked_by_itself(tmp_path, run):
    publish(tmp_path, TWO)
    assert run(one(check="row_count", max=1), query="select 2 as id, 'c' as name").rows == 1


def test_rows_that_do_not_fit_fail_beside_the_other_checks(tmp_path, failing):
    publish(tmp_path, TWO)
    report = failing(
        one(check="row_count", max=0), query="select 'x' as id", write=Write(mode="append")
    )
    assert [result.name for result in report.failures] == ["write", "row_count"]
    assert "name is missing" in report.failures[0].message


def test_first_append_needs_nothing_published(run):
    assert run(one(check="row_count", min=4), write=Write(mode="append")).rows == 4


def test_log_shows_a_table_of_failing_rows(failing, caplog):
    caplog.set_level(logging.INFO)
    failing(one(check="not_null", columns=["species"]), one(check="row_count", min=1))
    lines = caplog.records[-1].getMessage().splitlines()
    assert lines[0] == "2 checks of 4 rows"
    assert lines[1] == "  FAIL not_null(species): 1 rows"
    assert [cell.strip() for cell in lines[2].split("|")] == ["species", "id", "mass", "seen"]
    assert [cell.strip() for cell in lines[3].split("|")] == ["null", "null", "null", "2026-01-03"]
    assert lines[4] == "  ok   row_count(at least 1)"


def test_report_survives_the_way_through_json_without_its_samples(run):
    report = run(one(check="row_count", min=300, on_fail="warn"), one(check="row_count", min=1))
    assert CheckReport.from_json(report.as_json()) == report
    assert report.as_event() == {
        "rows": 4,
        "passed": 1,
        "warned": [{"check": "row_count(at least 300)", "failing_rows": 0}],
        "failed": [],
    }


def test_last_snapshot_is_the_contract_of_rows_that_replace_it(failing, tmp_path):
    publish(tmp_path, "select '02139' as zip, 1::bigint as n, 2 as gone")
    query = "select 12139::bigint as zip, 1.5::double as n, 3 as extra"
    readers = ("marine.species", "ops.report")
    report = failing(query=query, evolve="add", readers=lambda: readers)
    [message] = [result.message for result in report.failures]
    assert "zip is BIGINT, published as VARCHAR" in message
    assert "n is DOUBLE, published as BIGINT" in message
    assert "gone is missing" in message
    assert "extra is new" not in message
    assert "read by marine.species, ops.report" in message
    assert "`change_columns`" in message


def test_wider_number_is_halted_with_what_lets_it_through(failing, run, tmp_path):
    publish(tmp_path, "select 1::bigint as n")
    report = failing(query="select 1.5::double as n", evolve="add")
    assert "`write: {evolve: widen}` lets such changes through" in report.failures[0].message
    assert not run(query="select 1.5::double as n", evolve="widen").failures
    assert not run(query="select 'a' as other").failures  # what may differ is for the caller to say


@pytest.mark.parametrize(
    ("write", "declared", "accepted", "expected"),
    [
        ({}, False, False, "add"),
        ({}, True, False, None),
        ({}, False, True, None),
        ({"evolve": "none"}, False, False, "none"),
        ({"evolve": "widen"}, True, False, "widen"),
        ({"mode": "append"}, False, False, "none"),
        ({"mode": "append"}, True, True, "none"),
        ({"mode": "append", "evolve": "add"}, False, False, "add"),
    ],
)
def test_what_may_differ_follows_from_file_and_run(write, declared, accepted, expected):
    assert Write(**write).evolution(declared=declared, accepted=accepted) == expected
