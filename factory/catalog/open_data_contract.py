"""A contract in the words of the Open Data Contract Standard, version 3.1: https://bitol-io.github.io/open-data-contract-standard."""

from collections.abc import Iterator, Mapping
from typing import Any

from factory.base.digests import sha256_of_json
from factory.catalog.contract import Contract
from factory.data.checks.check import Check
from factory.data.column_types import is_number, is_time

STANDARD = "v3.1.0"
_ENGINE = "ml-dag-factory"
_LOGICAL = {"VARCHAR": "string", "BOOLEAN": "boolean", "DATE": "date", "TIME": "time"}
_FRACTIONS = ("FLOAT", "DOUBLE", "DECIMAL")


def open_data_contract(contract: Contract) -> dict[str, Any]:
    """The document of a contract, ready for YAML.

    Its `version` changes when what is promised does, and only then.
    """
    team, _, name = contract.dataset.partition(".")
    table: dict[str, Any] = {
        "name": name,
        "physicalName": contract.dataset,
        "physicalType": "table",
        "logicalType": "object",
    }
    if contract.description:
        table["description"] = contract.description
    if contract.columns is not None:
        table["properties"] = [
            _property(contract, column, kind) for column, kind in contract.columns.items()
        ]
    about_rows = [check for check in contract.checks if _column_of(check, contract) is None]
    if about_rows:
        table["quality"] = [_quality(check, at_column=False) for check in about_rows]
    document: dict[str, Any] = {
        "name": name,
        "domain": team,
        "status": "active",
        "team": {"name": team, "members": [{"username": contract.owner, "role": "owner"}]},
        "schema": [table],
    }
    if contract.description:
        document["description"] = {"purpose": contract.description}
    if roles := list(_roles(contract)):
        document["roles"] = roles
    if contract.when.cron:
        document["slaProperties"] = [_frequency(contract)]
    head = {"apiVersion": STANDARD, "kind": "DataContract", "id": contract.dataset}
    return {**head, "version": sha256_of_json(document)[:12], **document}


def _property(contract: Contract, column: str, kind: str | None) -> dict[str, Any]:
    found: dict[str, Any] = {"name": column}
    if kind is not None:
        found["physicalType"] = kind
        if logical := _logical(kind):
            found["logicalType"] = logical
    halting = [check for check in contract.checks if check.on_fail == "halt"]
    metrics = {
        one["metric"]
        for check in halting
        if column in check.written_columns().values()
        and (one := check.open_data_contract()) is not None
        and (one["metric"] == "nullValues" or len(check.written_columns()) == 1)
    }
    if "nullValues" in metrics:
        found["required"] = True
    if "duplicateValues" in metrics:
        found["unique"] = True
    if column in contract.keys:
        found |= {"primaryKey": True, "primaryKeyPosition": contract.keys.index(column) + 1}
    own = [part for check in contract.checks for part in check.parts()]
    about_it = [check for check in own if _column_of(check, contract) == column]
    if about_it:
        found["quality"] = [_quality(check, at_column=True) for check in about_it]
    return found


def _column_of(check: Check, contract: Contract) -> str | None:
    """The only column that a check is about; None where it is about several, or the rows."""
    known = contract.columns or {}
    columns = {*check.written_columns().values()}
    if len(check.parts()) > 1:
        # Its parts stand at their columns.
        return next((name for name in columns if name in known), None)
    return next(iter(columns)) if len(columns) == 1 and columns <= set(known) else None


def _quality(check: Check, *, at_column: bool) -> dict[str, Any]:
    found: dict[str, Any] = {
        "name": check.describe(),
        "severity": "error" if check.on_fail == "halt" else "warning",
    }
    columns = list(check.written_columns().values())
    metric = check.open_data_contract()
    if metric is not None:
        if columns and not at_column:
            metric["arguments"] = {**metric.get("arguments", {}), "properties": columns}
        return {**found, "type": "library", **metric}
    condition = check.failing()
    if condition is not None:
        query = f"SELECT COUNT(*) FROM ${{object}} WHERE {condition}"  # noqa: S608 - for people and tools that know the table
        return {**found, "type": "sql", "query": query, "mustBe": 0}
    written = check.model_dump(mode="json", exclude_defaults=True, exclude={"on_fail"})
    return {**found, "type": "custom", "engine": _ENGINE, "implementation": written}


def _logical(kind: str) -> str | None:
    if is_number(kind):
        return "number" if kind.startswith(_FRACTIONS) else "integer"
    if kind in _LOGICAL:
        return _LOGICAL[kind]
    if is_time(kind):
        return "timestamp"
    if kind.endswith("]"):
        return "array"
    return "object" if kind.startswith("STRUCT(") else None


def _roles(contract: Contract) -> Iterator[Mapping[str, str]]:
    teams = ("every team",) if contract.share_with == "*" else contract.share_with
    for team in teams:
        yield {"role": team, "access": "read"}


def _frequency(contract: Contract) -> dict[str, Any]:
    return {
        "property": "frequency",
        "value": contract.when.in_words,
        "scheduler": "cron",
        "schedule": contract.when.cron,
    }
