"""What DuckDB says of teams' SQL before it runs: parsed, and bound to the columns of what it reads.

Nothing is read: tables without rows stand in for those that a run has. `factory.catalog.contract_questions` asks, and
says what the JSON of its questions means.
"""

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from factory.base.answers import Reply
from factory.data.column_types import Types, class_type, same_names
from factory.data.sql_faults import SqlFault, fault_of, in_characters, location_of
from factory.data.sql_rules import (
    EXPLAIN,
    SELECT,
    RefusedQueryError,
    check_condition,
    check_plan,
    nodes_of,
    parse_query,
)
from factory.lake import engine

_TEMPLATE = re.compile(r"{{.*?}}|{#.*?#}", re.DOTALL)
_CERTAIN = ("column", "table", "function", "type")
"""What is wrong with a query whatever types its columns have."""
_SEVERAL_ROWS = "a condition looks at one row, and this at several: compare with `(select ... from result)`, or write `check: custom_sql`"
_NOTHING = b"null"
_MOST = 10


def bind(question: Mapping[str, Any]) -> Reply:
    """What is wrong with the SQL of some chains of transforms, and which columns come out of them.

    Args:
        question: `chains`, and by their full names the `datasets` that they read, each a chain too.
    """
    found = [_Binding(question["datasets"]).look_at(chain) for chain in question["chains"]]
    return Reply(found)


class _Binding:
    """Chains that read each other's results."""

    def __init__(self, datasets: Mapping[str, Mapping[str, Any]]) -> None:
        self.datasets = datasets
        self.known: dict[str, Types | None] = {}

    def contract(self, dataset: str | None) -> Types | None:
        """The columns of a dataset, as far as they can be known."""
        if dataset is None or dataset not in self.datasets:
            return None
        if dataset not in self.known:
            self.known[dataset] = None  # for those that read each other
            self.known[dataset] = self.look_at(self.datasets[dataset])["columns"]
        return self.known[dataset]

    def look_at(self, chain: Mapping[str, Any]) -> dict[str, Any]:
        """The faults of each step and condition, the columns, and what the declared types are."""
        columns: Types | None = chain["columns"] or self.contract(chain["from"])
        if columns is not None:
            columns = {**columns, **{n: t for n, t in chain["absent"].items() if n not in columns}}
        others = {name: self.contract(name) for name in chain["tables"] or ()}
        any_table = chain["tables"] is None
        steps: list[list[SqlFault]] = []
        for step in chain["steps"]:
            if step["sql"] is None:
                steps.append([])
                columns = _after(step, columns)
                continue
            looked = _look_at(step["sql"], {"source": columns, **others}, any_table=any_table)
            steps.append(looked.faults)
            columns = looked.columns
        if chain["loaded"] and columns is not None:
            columns = dict.fromkeys(columns)
        declared, unknown = _canonical(chain["declared"])
        final = declared if declared is not None else columns
        if chain["added"] is None:
            final = None  # some are called by what a model knows
        elif chain["kept"] is not None:
            kept = final or {}
            final = {name: kept.get(name) for name in chain["kept"]}
            final |= {
                name: kind or self._class_type(chain) for name, kind in chain["added"].items()
            }
        conditions = [
            _look_at(one["sql"], {"result": final, **others}, any_table=any_table).faults
            if one["is_query"]
            else _condition(one["sql"], final)
            for one in chain["conditions"]
        ]
        return {
            "steps": [[asdict(fault) for fault in faults] for faults in steps],
            "conditions": [[asdict(fault) for fault in faults] for faults in conditions],
            "made": columns,
            "unknown_types": unknown,
            "columns": final,
        }

    def _class_type(self, chain: Mapping[str, Any]) -> str | None:
        """The type of the classes of a model's predictions, which it learns from its target."""
        columns: Types = self.look_at(chain["learned"])["columns"] or {}
        kind = columns.get(chain["target"])
        return None if kind is None else class_type(kind)


def _after(step: Mapping[str, Any], before: Types | None) -> Types | None:
    if step["keeps"]:
        return before
    names = step["columns"]
    return None if names is None else dict.fromkeys(names)


def _canonical(declared: Mapping[str, str] | None) -> tuple[Types | None, dict[str, str]]:
    """The declared types as the lake calls them, and what is wrong with those that it does not know."""
    if declared is None:
        return None, {}
    types: dict[str, str | None] = {}
    unknown = {}
    for name, kind in declared.items():
        try:
            types[name] = engine.canonical_type(kind)
        except engine.UnknownTypeError as error:
            types[name], unknown[name] = None, str(error)
    return types, unknown


@dataclass(frozen=True)
class _Looked:
    faults: list[SqlFault]
    columns: Types | None = None


def _look_at(sql: str, tables: Mapping[str, Types | None], *, any_table: bool) -> _Looked:
    """What is wrong with a query, and its columns where they can be known."""
    if "{%" in sql:
        return _Looked([])  # what is left of it depends on the run
    if _TEMPLATE.search(sql):
        return _Looked(_in_template(sql, tables, any_table=any_table))
    with _tables(tables) as connection:
        try:
            tree = parse_query(connection, sql)
        except (RefusedQueryError, duckdb.Error) as error:
            return _Looked([fault_of(error, sql, "")])
        faults = [] if any_table else list(_unknown_tables(tree, tables, sql))
        read = _tables_read(tree, tables)
        known = {name: columns for name in read if (columns := tables[name]) is not None}
        if faults or any_table or len(known) < len(read):
            faults += _unknown_functions(connection, tree, sql)
            faults += _unknown_of_known(tree, known, sql)
            return _Looked(faults, None if faults or any_table else _names_written(tree))
        return _bound_query(connection, sql, known)


def _names_written(tree: Mapping[str, Any]) -> Types | None:
    """The columns of a query that names each of them, whatever its tables have; None where it does not."""
    query = tree["statements"][0]["node"]
    names: list[str] = []
    for item in query.get("select_list", ()) if query["type"] == "SELECT_NODE" else ():
        is_column = item["class"] == "COLUMN_REF"
        # The fields of a struct become columns.
        unnests = any(node.get("function_name") == "unnest" for node in nodes_of(item))
        name = item.get("alias") or (item["column_names"][-1] if is_column else "")
        if not name or unnests:
            return None
        names.append(name)
    if not names or same_names(names) is not None:
        return None
    return dict.fromkeys(names)


def _bound_query(connection: DuckDBPyConnection, sql: str, tables: Mapping[str, Types]) -> _Looked:
    """What is wrong with a query, all of whose tables have known columns, and its own columns."""
    types: dict[str, set[str | None]] = {}
    for columns in tables.values():
        for name, kind in columns.items():
            types.setdefault(name, set()).add(kind)
    certain = not any(None in kinds for kinds in types.values())
    faults = _bound(partial(check_plan, connection), EXPLAIN, sql, types, certain=certain)
    if faults:
        return _Looked(faults)
    try:
        relation = connection.sql(sql)
    except duckdb.Error:
        return _Looked([])  # types that are not known do not go together
    if (same := same_names(relation.columns)) is not None:
        return _Looked([SqlFault("other", same)])
    made = engine.columns_of(engine.storable(relation))
    if certain:
        return _Looked([], made)
    return _Looked([], {n: t if types.get(n) == {t} else None for n, t in made.items()})


def _bound(
    run: Callable[[str], object], before: str, sql: str, columns: Iterable[str], *, certain: bool
) -> list[SqlFault]:
    """What is wrong with a text that can be parsed: fault after fault, each with null in place of the ones before.

    Args:
        run: Has DuckDB bind a text.
        before: What DuckDB gets before the text.
        sql: The text.
        columns: Of the tables that are read.
        certain: Whether the types of these are known.
    """
    found: list[SqlFault] = []
    text = sql.encode()
    for _ in range(_MOST):
        try:
            run(text.decode())
        except (RefusedQueryError, duckdb.Error) as error:
            fault = fault_of(error, sql, before, tuple(columns))
            if fault.kind not in _CERTAIN and (found or not certain):
                break
            # What is missing within the query is missing around it too.
            if fault.name not in {one.name for one in found if one.name}:
                found.append(fault)
            start = len(sql[: fault.start].encode())
            length = len(sql[fault.start :][: fault.length].encode())
            if fault.kind not in ("column", "function") or length < len(_NOTHING):
                break
            text = text[:start] + _NOTHING.ljust(length) + text[start + length :]
            continue
        break
    return found


def _condition(condition: str, columns: Types | None) -> list[SqlFault]:
    if "{%" in condition or _TEMPLATE.search(condition):
        return []
    with _tables({"result": columns}) as connection:
        try:
            tree = check_condition(connection, condition)
        except (RefusedQueryError, duckdb.Error) as error:
            return [fault_of(error, condition, SELECT)]
        if columns is None:
            return list(_unknown_functions(connection, tree, condition, len(SELECT)))
        # As it runs: no condition on rows is over several of them.
        start = f"{EXPLAIN}from result where ("
        found = _bound(
            lambda text: connection.execute(f"{start}{text}\n) is not true"),
            start,
            condition,
            columns,
            certain=None not in columns.values(),
        )
        return [
            replace(fault, message=_SEVERAL_ROWS)
            if fault.message.startswith("WHERE clause cannot contain")
            else fault
            for fault in found
        ]


def _in_template(
    sql: str, tables: Mapping[str, Types | None], *, any_table: bool
) -> list[SqlFault]:
    """What is wrong with a query whatever its templates become: a value, or a name."""
    spans = [match.span() for match in _TEMPLATE.finditer(sql)]
    found: list[SqlFault] = []
    for stand_in in ("1", "x"):
        text = _TEMPLATE.sub(partial(_filled, stand_in), sql)
        with _tables(tables) as connection:
            try:
                tree = parse_query(connection, text)
            except (RefusedQueryError, duckdb.Error) as error:
                found = [fault_of(error, text, "")]
                continue
            found = [] if any_table else list(_unknown_tables(tree, tables, text))
            found += _unknown_functions(connection, tree, text)
        break
    return [
        fault
        for fault in found
        if not any(
            start <= fault.start + fault.length and fault.start <= end for start, end in spans
        )
    ]


def _filled(word: str, template: re.Match[str]) -> str:
    """As long as the template, so that places stay what they are."""
    return (word if template[0].startswith("{{") else "").ljust(len(template[0]))


@contextmanager
def _tables(tables: Mapping[str, Types | None]) -> Iterator[DuckDBPyConnection]:
    """A connection that sees empty tables of these columns, and tells errors as JSON."""
    connection = _connection()
    try:
        for name, columns in tables.items():
            _create(connection, name, columns or {"unknown": None})
        yield connection
    finally:
        for name in tables:
            target = ".".join(map(engine.quote, name.split(".")))
            connection.execute(f"drop view if exists {target}")


@cache
def _connection() -> DuckDBPyConnection:
    # One for all questions: opening it takes longer than all that is asked about a query.
    connection = engine.connect(Path(tempfile.gettempdir()))
    connection.execute("set enable_external_access = false")
    connection.execute("set errors_as_json = true")
    return connection


def _create(connection: DuckDBPyConnection, name: str, columns: Types) -> None:
    """Make a view of these columns, which no query reads, but whose plan is that of a table with rows."""
    listed = ", ".join(
        f"{f'cast(null as {kind})' if kind else 'null'} as {engine.quote(name)}"
        for name, kind in columns.items()
    )
    schema, _, _ = name.rpartition(".")
    if schema:
        connection.execute(f"create schema if not exists {engine.quote(schema)}")
    target = ".".join(map(engine.quote, name.split(".")))
    connection.execute(f"create view {target} as select {listed} from range(2)")  # noqa: S608


def _defined(tree: Mapping[str, Any]) -> set[str]:
    """The names of a query's common table expressions, in lower case."""
    return {
        str(entry["key"]).lower()
        for node in nodes_of(tree)
        for entry in (node.get("cte_map") or {}).get("map", ())
    }


def _table_nodes(tree: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The tables that a query reads, but for those that it defines itself."""
    own = _defined(tree)
    for node in nodes_of(tree):
        if node.get("type") != "BASE_TABLE":
            continue
        schema, name = str(node.get("schema_name", "")), str(node.get("table_name", ""))
        if schema or name.lower() not in own:
            yield f"{schema}.{name}" if schema not in ("", "main") else name, node


def _unknown_tables(
    tree: Mapping[str, Any], tables: Mapping[str, Types | None], sql: str
) -> Iterator[SqlFault]:
    known = {name.lower() for name in tables}
    for name, node in _table_nodes(tree):
        if name.lower() not in known:
            start, length = in_characters(sql, location_of(node))
            yield SqlFault("table", f"there is no table {name}", name, tuple(tables), start, length)


def _tables_read(tree: Mapping[str, Any], tables: Mapping[str, Types | None]) -> list[str]:
    named = {name.lower() for name, _ in _table_nodes(tree)}
    return [name for name in tables if name.lower() in named]


def _unknown_functions(
    connection: DuckDBPyConnection, tree: Mapping[str, Any], sql: str, before: int = 0
) -> Iterator[SqlFault]:
    """Functions that DuckDB does not have, of a query that cannot be bound."""
    for node in nodes_of(tree):
        name = str(node.get("function_name", ""))
        if node.get("class") not in {"FUNCTION", "WINDOW"} or node.get("is_operator"):
            continue
        if not re.fullmatch("[A-Za-z][A-Za-z0-9_]*", name):
            continue
        try:
            connection.execute(f"{EXPLAIN}select {engine.quote(name)}()")
        except duckdb.Error as error:
            found = fault_of(error, "", "")
            if found.kind == "function":
                start, length = location_of(node)
                start, length = in_characters(sql, (start - before, length))
                yield SqlFault("function", found.message, name, found.near, start, len(name))


def _unknown_of_known(
    tree: Mapping[str, Any], tables: Mapping[str, Types | None], sql: str
) -> Iterator[SqlFault]:
    """Columns `alias.column` of a table whose columns are known, in a query that reads others too."""
    meant: dict[str, set[str]] = {}
    named = {id(node): name.lower() for name, node in _table_nodes(tree)}
    for node in nodes_of(tree):
        alias = str(node.get("alias") or node.get("table_name") or "").lower()
        if alias and node.get("type") in ("BASE_TABLE", "SUBQUERY", "TABLE_FUNCTION", "PIVOT"):
            renamed = bool(node.get("column_name_alias"))
            meant.setdefault(alias, set()).add("" if renamed else named.get(id(node), ""))
    by_name = {name.lower(): columns for name, columns in tables.items()}
    for node in nodes_of(tree):
        names = node.get("column_names") or ()
        if node.get("type") != "COLUMN_REF" or len(names) != 2:
            continue
        alias, column = map(str, names)
        tables_meant = meant.get(alias.lower(), set())
        columns = by_name.get(next(iter(tables_meant))) if len(tables_meant) == 1 else None
        if columns is not None and column.lower() not in {name.lower() for name in columns}:
            start, length = in_characters(sql, location_of(node))
            yield SqlFault("column", "", column, tuple(columns), start, length)
