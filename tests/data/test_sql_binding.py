"""SQL is parsed and bound before it runs, as far as the columns of what it reads are known."""

import pytest

from factory.data.sql_binding import bind

ORDERS = {"id": "BIGINT", "plan": "VARCHAR", "price": "DOUBLE", "day": "DATE"}


def chain(*queries, columns=ORDERS, tables=(), **others):
    return {
        "columns": columns,
        "from": None,
        "absent": {},
        "tables": list(tables),
        "steps": [{"sql": query, "keeps": False, "columns": None} for query in queries],
        "loaded": False,
        "declared": None,
        "kept": None,
        "added": {},
        "target": None,
        "learned": None,
        "conditions": [],
        **others,
    }


def looked_at(*queries, datasets=None, **others):
    question = {"datasets": datasets or {}, "chains": [chain(*queries, **others)]}
    [found] = bind(question).value
    return found


def faults(query, **others):
    """Each fault of one query as (kind, the part of the text that is meant)."""
    [found] = looked_at(query, **others)["steps"]
    return [(one["kind"], query[one["start"] :][: one["length"]]) for one in found]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select id from source", []),
        ("select id, prise from source", [("column", "prise")]),
        ("select 'ä', prise, plam from source", [("column", "prise"), ("column", "plam")]),
        ("select s.prise from source s", [("column", "s.prise")]),
        ("select x.id from source s", [("table", "x.id")]),
        ("select * exclude (prise) from source", [("column", "prise")]),
        ("select * from source join source b using (idd)", [("column", "idd")]),
        ("with a as (select nope from source) select nope from a", [("column", "nope")]),
        ("with a as (select id from source) select id from a", []),
        ("select id from source order by nope", [("column", "nope")]),
        ("select id::strng from source", [("type", "strng")]),
        ("select uper(plan), prise from source", [("function", "uper(plan)"), ("column", "prise")]),
        ("select plan + price from source", [("other", "+")]),
        ("select id from source where plan > 3", [("other", "plan > 3")]),
        ("select id, count(*) from source", [("other", "id")]),
        ("select id, id from source", [("other", "")]),
        ("select id from sorce", [("table", "sorce")]),
        ("select id from shop.orders", [("table", "shop.orders")]),
        ("select (id from source", [("syntax", "from")]),
        ("select id from source; select 1", [("refused", "")]),
        ("select * from duckdb_settings()", [("refused", "duckdb_settings()")]),
        ("select * from source, duckdb_views", [("refused", "duckdb_views")]),
        ("pivot source on plan in ('a', 'b') using count(*)", []),
        ("select list_transform([id], lambda x: x + 1) from source", []),
        ("select unnest([id]), max(id) over (partition by plan) from source", []),
    ],
)
def test_faults_are_at_their_place(query, expected):
    assert faults(query) == expected


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select anything, year(whatever) from source where x > 3", []),
        ("select s.anything, o.pric from source s, shop.orders o", [("column", "o.pric")]),
        ("with o as (select 1 as y from source) select o.y from o", []),
        ("select o.x from shop.orders as o(x, y, z, w), source", []),
        ("select cuont(anything) from source", [("function", "cuont")]),
        ("select coalesce(a, b), a[1], {'x': b}, case when a then b end from source", []),
        ("select * from sources", [("table", "sources")]),
    ],
)
def test_where_columns_are_not_known_only_what_is_certain_is_told(query, expected):
    orders = chain(columns=ORDERS)
    found = faults(query, columns=None, tables=["shop.orders"], datasets={"shop.orders": orders})
    assert found == expected


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("select id, s.plan as tariff, lower(x) as x from source s", ["id", "tariff", "x"]),
        ("with a as (select * from source) select id from a", ["id"]),
        ("select * from source", None),
        ("select id, columns('a.*') from source", None),
        ("select id, lower(x) from source", None),
        ("select id, unnest(fields) as x from source", None),
        ("select a.id, b.id from source a, source b", None),
        ("select id from source union all select plan from source", None),
    ],
)
def test_columns_that_a_query_names_one_by_one_are_known_whatever_it_reads(query, names):
    columns = looked_at(query, columns=None)["columns"]
    assert (None if columns is None else list(columns)) == names


def test_columns_without_types_are_bound_by_name_only():
    columns = {"image": None, "width": "INTEGER"}
    assert faults("select year(image), width from source", columns=columns) == []
    assert faults("select imag from source", columns=columns) == [("column", "imag")]
    found = looked_at("select image, width, width + 1 as more from source", columns=columns)
    assert found["columns"] == {"image": None, "width": "INTEGER", "more": None}


@pytest.mark.parametrize(
    "query",
    [
        "select * from source where day = '{{ ds }}' limit {{ params.n }}",
        "select {{ params.column }}, anything from {{ params.table }}",
        "select * from source {# a remark #}",
        "select {% if params.x %} id {% else %} plan {% endif %} from source",
        "select id from source where {{ params.condition }}",
    ],
)
def test_templates_give_no_false_alarm(query):
    assert faults(query) == []
    assert looked_at(query)["columns"] is None


def test_mistake_beside_a_template_is_found():
    query = "select id fromm source where day = '{{ ds }}'"
    assert faults(query) == [("syntax", "source")]


def test_types_follow_from_step_to_step_and_from_dataset_to_dataset():
    made = chain("select id, sum(price) as total from source group by id")
    found = looked_at(
        "select id, total > 3 as is_dear from source",
        columns=None,
        datasets={"shop.made": made},
        **{"from": "shop.made"},
    )
    assert found["columns"] == {"id": "BIGINT", "is_dear": "BOOLEAN"}


def test_types_are_those_of_the_lake():
    found = looked_at("select count(*)::hugeint as n, '10:00'::time as t from source")
    assert found["columns"] == {"n": "BIGINT", "t": "VARCHAR"}
    found = looked_at(declared={"a": "int", "b": "text", "c": "intt"})
    assert found["columns"] == {"a": "INTEGER", "b": "VARCHAR", "c": None}
    assert list(found["unknown_types"]) == ["c"]


def test_after_a_database_only_names_are_known():
    found = looked_at("select id from source", loaded=True)
    assert found["columns"] == {"id": None}


def test_datasets_that_read_each_other_do_not_hang():
    ring = {
        "a.x": chain(columns=None, **{"from": "a.y"}),
        "a.y": chain(columns=None, **{"from": "a.x"}),
    }
    assert looked_at(columns=None, datasets=ring, **{"from": "a.x"})["columns"] is None


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("price > 0", []),
        ("price > 0 -- a remark", []),
        ("pries > 0", [("column", "pries")]),
        ("price > > 0", [("syntax", ">")]),
        ("price > 0) or (true", [("syntax", ")")]),
        ("plan > 3", [("other", "plan > 3")]),
        ("getenv('HOME') = 'x'", [("refused", "getenv('HOME')")]),
        ("day < '{{ ds }}'", []),
    ],
)
def test_conditions_are_bound_to_the_rows_that_are_published(condition, expected):
    written = {"sql": condition, "is_query": False}
    [found] = looked_at(conditions=[written])["conditions"]
    shown = [(one["kind"], condition[one["start"] :][: one["length"]]) for one in found]
    assert shown == expected
