"""What a team's SQL may hold: queries over its tables, and nothing that acts or that tells of the machine.

DuckDB calls a statement SELECT whatever its common table expressions do: `with x as (copy … to …)` writes
a file. So the parsed query and its plan are both looked at, and each may hold only what is listed here.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

QUERY_NODES = frozenset(
    ("SELECT_NODE", "SET_OPERATION_NODE", "RECURSIVE_CTE_NODE", "CTE_NODE", "EMPTY")
)
"""The nodes of a parsed query, and of those within it, that only read."""

TABLE_FUNCTIONS = frozenset(
    ("generate_series", "json_each", "json_tree", "range", "repeat", "repeat_row", "unnest")
)
"""Functions that a query may name as a table: they make rows of their arguments alone."""

REFUSED_FUNCTIONS = frozenset(
    (
        # What DuckDB, the connection and the machine are like.
        "current_catalog",
        "current_connection_id",
        "current_database",
        "current_query",
        "current_query_id",
        "current_role",
        "current_schema",
        "current_schemas",
        "current_setting",
        "current_transaction_id",
        "current_user",
        "get_block_size",
        "getenv",
        "getvariable",
        "in_search_path",
        "pg_conf_load_time",
        "pg_get_constraintdef",
        "pg_get_expr",
        "pg_get_viewdef",
        "pg_my_temp_schema",
        "pg_postmaster_start_time",
        "session_user",
        "txid_current",
        "user",
        "version",
        # What changes something, runs text as a query, waits, or takes bytes for DuckDB's own memory.
        "currval",
        "json_serialize_plan",
        "json_serialize_sql",
        "json_deserialize_sql",
        "nextval",
        "pg_sleep",
        "setseed",
        "sleep_ms",
        "to_aggregate_state",
        "write_log",
    )
)
"""Functions of a value that tell of more than their arguments, or that change something."""

PLAN_OPERATORS = frozenset(
    (
        "ASOF_JOIN",
        "BLOCKWISE_NL_JOIN",
        "COLUMN_DATA_SCAN",
        "CROSS_PRODUCT",
        "CTE",
        "CTE_SCAN",
        "DELIM_JOIN",
        "DELIM_SCAN",
        "DUMMY_SCAN",
        "EMPTY_RESULT",
        "EXCEPT",
        "FILTER",
        "GENERATE_SERIES",
        "HASH_GROUP_BY",
        "HASH_JOIN",
        "IE_JOIN",
        "INOUT_FUNCTION",
        "INTERSECT",
        "JSON_EACH",
        "JSON_TREE",
        "LEFT_DELIM_JOIN",
        "LIMIT",
        "LIMIT_PERCENT",
        "NESTED_LOOP_JOIN",
        "ORDER_BY",
        "PARTITIONED_AGGREGATE",
        "PERFECT_HASH_GROUP_BY",
        "PIECEWISE_MERGE_JOIN",
        "PIVOT",
        "POSITIONAL_JOIN",
        "POSITIONAL_SCAN",
        "PROJECTION",
        "PYTHON_ARROW_SCAN",
        "RANGE",
        "RECURSIVE_CTE",
        "RECURSIVE_KEY_CTE",
        "REC_CTE",
        "REC_CTE_SCAN",
        "REC_REC_CTE_SCAN",
        "REPEAT",
        "REPEAT_ROW",
        "RESERVOIR_SAMPLE",
        "RIGHT_DELIM_JOIN",
        "STREAMING_LIMIT",
        "STREAMING_SAMPLE",
        "STREAMING_WINDOW",
        "TOP_N",
        "UNGROUPED_AGGREGATE",
        "UNION",
        "UNNEST",
        "WINDOW",
    )
)
"""What a plan may do."""


EXPLAIN = "explain (format json) "
"""Before a query, to have its plan."""

SELECT = "select "
"""Before a condition, to have it parsed alone."""


class RefusedQueryError(ValueError):
    """A query that holds what a team's SQL may not hold; says what, and what to write."""

    def __init__(self, message: str, node: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        found = node or {}
        self.place: tuple[int, int] | None = None
        """Where in the query it stands, and how long it is; in bytes."""
        if "query_location" in found:
            self.place = found["query_location"], found.get("query_location_length") or 1


def check_query(connection: DuckDBPyConnection, query: str) -> None:
    """Check that a query does nothing but read the connection's tables.

    Args:
        connection: Whose tables it reads.
        query: SQL text.

    Raises:
        RefusedQueryError: when it is not one SELECT, or holds something else within it.
        duckdb.Error: when it cannot be parsed, or names what is not there.
    """
    parse_query(connection, query)
    check_plan(connection, query)


def parse_query(connection: DuckDBPyConnection, query: str) -> Mapping[str, Any]:
    """A query's tree, if nothing in it is refused; whether its tables are there is not looked at.

    Raises:
        RefusedQueryError: when it is not one SELECT, or holds something else within it.
        duckdb.Error: when it cannot be parsed.
    """
    statements = connection.extract_statements(query)
    if len(statements) == 1 and statements[0].type == duckdb.StatementType.MULTI:
        raise RefusedQueryError(
            "write one SELECT; a PIVOT needs the values that become columns: "
            "`pivot … on column in ('a', 'b') using …`"
        )
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        found = ", ".join(statement.type.name for statement in statements) or "nothing"
        raise RefusedQueryError(f"write one SELECT; found {found}")
    tree = _parsed(connection, query)
    _check_tree(connection, tree)
    return tree


def check_condition(connection: DuckDBPyConnection, condition: str) -> Mapping[str, Any]:
    """The tree of `SELECT` and a text, if that is one condition on rows, and reads nothing but the connection's tables.

    It is parsed alone: within `where (…)`, a text that closes the parenthesis could end the query and go on.

    Raises:
        RefusedQueryError: when it is something else.
        duckdb.Error: when it cannot be parsed.
    """
    # The line break ends a comment that the text may end with.
    query = f"{SELECT}{condition}\n"
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise RefusedQueryError("write one condition, such as `price > 0`")
    tree = _parsed(connection, query)
    node = tree["statements"][0]["node"]
    plain = (
        node["type"] == "SELECT_NODE"
        and len(node["select_list"]) == 1
        and not node["select_list"][0].get("alias")
        and node["from_table"]["type"] == "EMPTY"
        and not any(
            node.get(clause)
            for clause in (
                "where_clause",
                "group_expressions",
                "having",
                "qualify",
                "sample",
                "modifiers",
            )
        )
    )
    if not plain:
        raise RefusedQueryError("write one condition, such as `price > 0`, and no more of a query")
    _check_tree(connection, tree)
    return tree


def _parsed(connection: DuckDBPyConnection, query: str) -> Mapping[str, Any]:
    [(text,)] = connection.execute("select json_serialize_sql(?)", [query]).fetchall()
    tree: dict[str, Any] = json.loads(text)
    if tree["error"]:
        raise RefusedQueryError(f"write one SELECT: {tree['error_message']}")
    return tree


def _check_tree(connection: DuckDBPyConnection, tree: Mapping[str, Any]) -> None:
    internal = _internal_tables(connection)
    for node in nodes_of(tree):
        kind = node.get("type")
        if isinstance(kind, str) and kind.endswith("_NODE") and kind not in QUERY_NODES:
            what = kind.removesuffix("_NODE").removesuffix("_QUERY").replace("_", " ")
            raise RefusedQueryError(f"write one SELECT; found {what} within it", node)
        if kind == "TABLE_FUNCTION":
            _check_table_function(node["function"], node)
        elif node.get("class") in {"FUNCTION", "WINDOW"}:
            _check_function(node)
        elif kind == "BASE_TABLE" or (
            kind == "SHOW_REF" and node.get("table_name") not in {None, ""}
        ):
            _check_table(node, internal)


def nodes_of(tree: object) -> Iterator[Mapping[str, Any]]:
    """Every node of a tree."""
    pending = [tree]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)


def _check_table_function(function: Mapping[str, Any], table: Mapping[str, Any]) -> None:
    name = str(function.get("function_name", "")).lower()
    if name not in TABLE_FUNCTIONS:
        raise RefusedQueryError(
            f"{name}(…) may not be read from: a query reads the tables that it is given, "
            f"and {', '.join(sorted(TABLE_FUNCTIONS))}",
            table,
        )


def _check_function(function: Mapping[str, Any]) -> None:
    name = str(function.get("function_name", "")).lower()
    if name in REFUSED_FUNCTIONS:
        raise RefusedQueryError(f"the function {name} may not be used: leave it out", function)


def _check_table(table: Mapping[str, Any], internal: Iterable[str]) -> None:
    name = str(table.get("table_name", ""))
    schema = str(table.get("schema_name", "")).lower()
    if schema in {"pg_catalog", "information_schema"} or (
        schema in {"", "main"} and name.lower() in internal
    ):
        raise RefusedQueryError(
            f"{name} tells of DuckDB itself and may not be read: leave it out", table
        )


def _internal_tables(connection: DuckDBPyConnection) -> frozenset[str]:
    found = connection.execute(
        "select distinct lower(view_name) from duckdb_views() "
        "where internal and schema_name <> 'information_schema'"
    )
    return frozenset(name for (name,) in found.fetchall())


def check_plan(connection: DuckDBPyConnection, query: str) -> None:
    """Check that the plan of a query holds nothing but what reads.

    Raises:
        RefusedQueryError: when it does.
        duckdb.Error: when the query names what is not there.
    """
    [(_, text)] = connection.execute(f"{EXPLAIN}{query}").fetchall()
    for node in nodes_of(json.loads(text)):
        name = node.get("name")
        if isinstance(name, str) and name.strip() not in PLAN_OPERATORS:
            raise RefusedQueryError(
                f"its plan holds {name.strip()}, which is not known to do nothing but read"
            )
