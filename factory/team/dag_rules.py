"""What `dags`, the part in plain dag-factory format, may name: what the platform allows.

dag-factory imports whatever its configuration names, runs files by path, and compiles text to
functions. A team file is data, so that only the first is kept, and only for code that is allowed. An
operator can do anything that a worker can, so the platform says which ones there are.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from factory.base.code import how_to_allow, is_callable_by_teams, is_public, is_within
from factory.base.findings import Finding, KeyPath
from factory.base.section import DOTTED_PATH, NAME, Surroundings
from factory.base.texts import closest, one_of
from factory.team.limits import refused_connection
from factory.team.own_code import HARMLESS, with_texts_joined

EVERY_OPERATOR = "*"
"""In the platform's `operators`: all of Airflow and its providers."""

_RUNS_TEXT = re.compile(r"\w+_lambda")
_RUNS_FILE = re.compile(r"\w*(?:callable|_callback|_check|_fn)_file")
_READS_FILE = re.compile(r"doc_md_file_path")
_DOC = re.compile(r"doc_md")
_SHOWN_BY = {
    "template_searchpath": "lets templates show any file of the machine",
    "variables_as_arguments": "lets a task show any of Airflow's variables",
}
"""Keys that are for those who may use all operators, and so could read the same otherwise; and what they do."""
_SHOWING = re.compile("|".join(_SHOWN_BY))
_SCHEMA_ELSEWHERE = re.compile(r"\$(dynamic|recursive)?ref", re.IGNORECASE)
_JOIN = re.compile(r"__join__")
_MACROS = re.compile(r"user_defined_macros")
_TYPE = re.compile(r"__type__")
_OPERATOR = re.compile(r"operator|decorator")
_FUNCTION = re.compile(r"python_callable|callback|execution_date_fn|\w+_callback")
_OUTLETS = re.compile(r"outlets")
_READ_ASSETS = re.compile(r"schedule|inlets")
_CONNECTION = re.compile(r"\w*conn_id")
_TEAMS_ASSET = re.compile(rf"{NAME.pattern}(\.{NAME.pattern}){{1,2}}")
_MODELS = "x-mlflow:"
"""What the addresses of models' assets begin with."""

_STANDARD = "airflow.providers.standard"
_USUAL_OPERATORS = (
    f"{_STANDARD}.operators.bash.BashOperator",
    f"{_STANDARD}.operators.empty.EmptyOperator",
    f"{_STANDARD}.operators.latest_only.LatestOnlyOperator",
    f"{_STANDARD}.operators.python.BranchPythonOperator",
    f"{_STANDARD}.operators.python.PythonOperator",
    f"{_STANDARD}.operators.python.ShortCircuitOperator",
    f"{_STANDARD}.operators.trigger_dagrun.TriggerDagRunOperator",
    f"{_STANDARD}.sensors.bash.BashSensor",
    f"{_STANDARD}.sensors.external_task.ExternalTaskSensor",
    f"{_STANDARD}.sensors.filesystem.FileSensor",
    f"{_STANDARD}.sensors.python.PythonSensor",
)
"""Those that people write without their packages."""


@dataclass(frozen=True)
class DagRules:
    """What one team's `dags` may name."""

    surroundings: Surroundings
    own: frozenset[str]
    """The names of the team's datasets and models."""

    def check(self, dags: object) -> Iterator[Finding]:
        """What is wrong with the section `dags`, which need not have the right shape."""
        if isinstance(dags, dict):
            yield from self._check(with_texts_joined(dags), ("dags",))

    def _check(self, value: Any, path: KeyPath) -> Iterator[Finding]:
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from self._check(item, (*path, index))
        if not isinstance(value, dict):
            return
        for key, child in value.items():
            below = (*path, key)
            for keys, rule in self._rules:
                if keys.fullmatch(key):
                    yield from rule(child, below)
            yield from self._check(child, below)

    @cached_property
    def _rules(
        self,
    ) -> tuple[tuple[re.Pattern[str], Callable[[object, KeyPath], Iterator[Finding]]], ...]:
        """What is looked at by its key, wherever it stands."""
        return (
            (_RUNS_TEXT, self._refuse_text),
            (_RUNS_FILE, self._refuse_file),
            (_READS_FILE, self._refuse_reading),
            (_DOC, self._check_doc),
            (_SHOWING, self._check_showing),
            (_SCHEMA_ELSEWHERE, self._check_schema),
            (_JOIN, self._refuse_joining),
            (_MACROS, self._check_macros),
            (_TYPE, self._check_type),
            (_OPERATOR, self._check_operator),
            (_FUNCTION, self._check_function),
            (_OUTLETS, self._check_outlets),
            (_READ_ASSETS, self._check_read_assets),
            (_CONNECTION, self._check_connection),
        )

    def _refuse_text(self, _value: object, path: KeyPath) -> Iterator[Finding]:
        yield _refused(path, "compiles text to a function")

    def _refuse_file(self, _value: object, path: KeyPath) -> Iterator[Finding]:
        yield _refused(path, "runs a file by its path")

    def _refuse_reading(self, _value: object, path: KeyPath) -> Iterator[Finding]:
        message = f"`{path[-1]}` shows any file of the machine, which is not allowed in a team file"
        yield Finding("dag_code", path, message, "write the text itself: `doc_md: |`", on_key=True)

    def _check_doc(self, value: object, path: KeyPath) -> Iterator[Finding]:
        # Airflow opens what it is told by such a text, wherever it lies.
        if isinstance(value, str) and value.endswith(".md"):
            yield from self._refuse_reading(value, path)

    def _check_showing(self, _value: object, path: KeyPath) -> Iterator[Finding]:
        if EVERY_OPERATOR not in self.surroundings.operators:
            key = str(path[-1])
            message = (
                f"`{key}` {_SHOWN_BY[key]}, which is not allowed where `operators` names some only"
            )
            advice = "write the text itself where it is needed"
            yield Finding("dag_code", path, message, advice, on_key=True)

    def _check_schema(self, value: object, path: KeyPath) -> Iterator[Finding]:
        # Whoever checks a value by the schema asks the address, with Airflow's place in the network.
        if not (isinstance(value, str) and value.startswith("#")):
            message = f"`{path[-1]}` has Airflow read a schema from elsewhere: {value!r}"
            yield Finding("dag_code", path, message, "write the schema itself", on_key=True)

    def _refuse_joining(self, _value: object, path: KeyPath) -> Iterator[Finding]:
        message = "`__join__` puts a list of texts together, and nothing else"
        yield Finding("dag_code", path, message, "write the text as one", on_key=True)

    def _check_macros(self, value: object, path: KeyPath) -> Iterator[Finding]:
        for name, macro in value.items() if isinstance(value, dict) else ():
            yield from self._check_function(macro, (*path, name))
            yield from self._check_macros(macro, (*path, name))

    def _check_operator(self, value: object, path: KeyPath) -> Iterator[Finding]:
        if not isinstance(value, str):
            return
        if not DOTTED_PATH.fullmatch(value):
            meant = self._nearest_operator(value)
            yield _no_path(value, path, f"did you mean `{meant}`?" if meant else None)
        elif not is_callable_by_teams(value):
            yield _no_function_for_teams(value, path)
        elif not self._is_operator(value):
            allowed = self.surroundings.operators
            package = value.partition(".")[0]
            advice = (
                "let the platform add it to `operators` in _defaults.yaml if teams may do what it does"
                if package == "airflow"
                else how_to_allow(package)
            )
            if meant := self._nearest_operator(value):
                advice = f"did you mean `{meant}`?"
            yield Finding(
                "operator",
                path,
                f"`{value}` is none of the operators that may be used here: "
                f"{one_of(allowed) or 'none'}",
                advice,
            )

    def _nearest_operator(self, value: str) -> str | None:
        """An operator that may be used, whose own name is, or is nearly, the one that is written."""
        usual = tuple(path for path in _USUAL_OPERATORS if self._is_operator(path))
        by_name = {path.rpartition(".")[2]: path for path in (*usual, *self._operators)}
        name = closest(value.rpartition(".")[2], by_name, likeness=0.8)
        return by_name[name] if name else None

    @property
    def _operators(self) -> tuple[str, ...]:
        """The allowed ones that are named one by one."""
        return tuple(
            path for path in self.surroundings.operators if path.rpartition(".")[2][:1].isupper()
        )

    def _is_operator(self, value: str) -> bool:
        allowed = self.surroundings.operators
        return is_public(value) and (
            value in allowed
            or is_within(value, allowed)
            or (EVERY_OPERATOR in allowed and is_within(value, ("airflow",)))
            or is_within(value, self.surroundings.python_packages)
        )

    def _check_type(self, value: object, path: KeyPath) -> Iterator[Finding]:
        yield from self._check_function(value, path)

    def _check_function(self, value: object, path: KeyPath) -> Iterator[Finding]:
        if not isinstance(value, str) or value in HARMLESS:
            return
        if not DOTTED_PATH.fullmatch(value):
            yield _no_path(value, path)
        elif not is_public(value):
            yield Finding(
                "private",
                path,
                f"`{value}` is private to its package: a name that starts with an underscore is not "
                "for others",
                "name what the package documents",
            )
        elif not is_callable_by_teams(value):
            yield _no_function_for_teams(value, path)
        elif self._is_operator(value):
            return
        else:
            packages = self.surroundings.python_packages
            yield Finding(
                "package",
                path,
                f"`{value}` is outside the packages that may be named here: {one_of(packages) or 'none'}",
                how_to_allow(value.partition(".")[0]),
            )

    def _check_outlets(self, value: object, path: KeyPath) -> Iterator[Finding]:
        """An event says that a dataset has new rows: only its own DAG knows."""
        for name in _texts(value):
            if name.endswith("AssetAlias"):
                yield Finding(
                    "outlet",
                    path,
                    "an asset alias may stand for any asset, and is no outlet here",
                    "name an asset of your own",
                )
            elif self._is_the_factorys(name):
                yield Finding(
                    "outlet",
                    path,
                    f"`{name}` is named as assets of datasets and models are, whose events come from "
                    "their own DAGs",
                    "name an asset of your own, such as `mailed_report`",
                )

    def _check_read_assets(self, value: object, path: KeyPath) -> Iterator[Finding]:
        """Airflow takes an asset from its DAG once another name has the same address."""
        for name in _texts(value):
            if self._is_address_of_the_factorys(name):
                message = f"`{name}` is the address of a dataset's or a model's asset"
                yield Finding("outlet", path, message, "write its name: `team.dataset`")

    def _is_the_factorys(self, name: str) -> bool:
        return (
            name in self.own
            or self._is_address_of_the_factorys(name)
            or _TEAMS_ASSET.fullmatch(name) is not None
        )

    def _is_address_of_the_factorys(self, text: str) -> bool:
        storage = self.surroundings.storage.rstrip("/")
        # Airflow reads an address without what is blank before it.
        address = text.strip()
        return address.startswith(_MODELS) or bool(storage and address.startswith(f"{storage}/"))

    def _check_connection(self, value: object, path: KeyPath) -> Iterator[Finding]:
        allowed = self.surroundings.connections
        # Those of a mapped task are a list.
        for name in _texts(value):
            if allowed is not None and name not in allowed:
                yield Finding("connection", path, *refused_connection(name, allowed))


def _texts(value: object) -> Iterator[str]:
    """Every text in an outlet, wherever it stands: by keyword, as `__args__`, in a list; types of Airflow are none."""
    if isinstance(value, dict):
        for child in value.values():
            yield from _texts(child)
    elif isinstance(value, list):
        for child in value:
            yield from _texts(child)
    elif isinstance(value, str) and (value.endswith("AssetAlias") or value not in HARMLESS):
        yield value


def _no_path(value: str, path: KeyPath, advice: str | None = None) -> Finding:
    return Finding(
        "dotted_path",
        path,
        f"`{path[-1]}` must name a Python object: {value!r} is not a dotted path",
        advice or "write `package.module.name`",
    )


def _no_function_for_teams(value: str, path: KeyPath) -> Finding:
    package = value.partition(".")[0]
    message = f"`{value}` is none of the functions of {package} that may be called"
    return Finding("function", path, message, "name a function of a package of your own")


def _refused(path: KeyPath, what: str) -> Finding:
    return Finding(
        "dag_code",
        path,
        f"`{path[-1]}` {what}, which is not allowed in a team file",
        "put the function into a package and name it: `python_callable: package.module.function`",
        on_key=True,
    )
