"""Checks that hold rows against other datasets, against the last snapshot, or against a query of the team's."""

import pytest
from pydantic import TypeAdapter, ValidationError

from factory.data.checks.check import AnyCheck, Check
from factory.data.checks.run import CheckFailedError, check
from factory.lake import publishing
from factory.lake.write import Write
from tests.data.rows import lake_in, rows_of

ORDERS = "select * from (values (1, 'a'), (2, 'b'), (3, 'x'), (4, null)) as t(id, customer)"
CUSTOMERS = "select * from (values ('a'), ('b'), (null)) as t(key)"


def one(**options) -> Check:
    return TypeAdapter(AnyCheck).validate_python(options)


@pytest.fixture
def publish(tmp_path):
    def publish(dataset: str, query: str) -> None:
        rows = rows_of(query, tmp_path, dataset).file
        publishing.publish(lake_in(tmp_path), dataset, rows, Write(), run_id="earlier")

    return publish


@pytest.fixture
def run(tmp_path):
    def run(*checks, query=ORDERS, versions=(), write=None):
        return check(
            checks,
            rows_of(query, tmp_path),
            columns=None,
            write=write or Write(),
            lake=lake_in(tmp_path),
            dataset="shop.orders",
            versions=dict(versions),
        )

    return run


def broken(run, *checks, **how):
    with pytest.raises(CheckFailedError) as caught:
        run(*checks, **how)
    [result] = caught.value.report.failures
    return result, str(caught.value)


def test_value_that_the_other_dataset_lacks_is_shown(run, publish):
    publish("shop.customers", CUSTOMERS)
    keys = one(check="relationships", column="customer", to="shop.customers", field="key")
    result, _ = broken(run, keys, versions={"shop.customers": 0})
    assert result.description == "relationships(customer: in shop.customers.key)"
    assert result.sample == [{"customer": "x", "id": 3}]
    known = "select * from (values (1, 'a'), (4, null)) as t(id, customer)"
    assert not run(keys, query=known, versions={"shop.customers": 0}).failures


def test_other_dataset_without_the_column_breaks_the_check_and_blames_no_rows(run, publish):
    publish("shop.customers", CUSTOMERS)
    keys = one(check="relationships", column="customer", to="shop.customers")
    result, message = broken(run, keys, versions={"shop.customers": 0})
    assert result.is_broken
    assert "Correct the check in the team file" in message
    assert "Correct the rows" not in message


def test_rows_may_refer_to_each_other(run):
    parents = one(check="relationships", column="parent", field="id")
    tree = "select * from (values (1, null), (2, 1), (3, 9)) as t(id, parent)"
    assert broken(run, parents, query=tree)[0].sample == [{"parent": 9, "id": 3}]


@pytest.mark.parametrize(
    ("options", "rows", "message"),
    [
        ({"max_fall": 50}, 5, ""),
        ({"max_fall": 50}, 4, "there are 4 rows, 60 % fewer than the 10 of the last snapshot"),
        ({"max_rise": 100}, 20, ""),
        ({"max_rise": 100}, 21, "there are 21 rows, 110 % more than the 10 of the last snapshot"),
    ],
)
def test_number_of_rows_is_held_against_the_last_snapshot(run, publish, options, rows, message):
    publish("shop.orders", "select range as id from range(10)")
    changed = one(check="changed_rows", **options, on_fail="warn")
    [result] = run(changed, query=f"select range as id from range({rows})").results
    assert result.message == message


def test_first_snapshot_has_changed_no_rows(run):
    assert not run(one(check="changed_rows", max_fall=1)).failures


def test_changed_rows_needs_a_bound():
    with pytest.raises(ValidationError, match="max_fall"):
        one(check="changed_rows")


def test_rows_that_a_query_gives_do_not_pass(run, publish):
    publish("shop.customers", CUSTOMERS)
    query = "select id, key from result join shop.customers on customer = key -- a remark"
    result, _ = broken(run, one(check="custom_sql", query=query), versions={"shop.customers": 0})
    assert (result.failing_rows, result.message) == (2, "the query gives 2 rows")
    assert not run(one(check="custom_sql", query="select * from result where id > 9")).failures


@pytest.mark.parametrize(
    "query",
    ["select * from read_csv('/etc/passwd')", "copy result to 'x'", "select nope from result"],
)
def test_query_that_may_not_run_blames_the_check(run, query):
    result, message = broken(run, one(check="custom_sql", query=query))
    assert result.is_broken
    assert "Correct the check in the team file" in message


def test_values_are_quoted_where_a_blank_makes_the_difference(run):
    accepted = one(check="accepted_values", column="plan", values=["free"], on_fail="warn")
    text = run(accepted, query="select unnest(['free ', '', 'null', 'a b']) as plan").as_text()
    for shown in ("'free '", "''", "'null'", "a b"):
        assert f"         {shown}\n" in f"{text}\n"
