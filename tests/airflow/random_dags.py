"""Random DAGs in dag-factory's format: right ones, and mutations of them."""

import copy
import random
from collections.abc import Callable, Iterator
from datetime import date, datetime
from typing import Any

Dag = dict[str, Any]
Task = dict[str, Any]

STANDARD = "airflow.providers.standard"
ASSET = "airflow.sdk.Asset"
CHOOSE, LOAD, TOLD = (f"tests.airflow.choices.{name}" for name in ("choose", "load", "told"))


class RandomDags:
    """Draws DAGs, each with tasks, groups and all else that dag-factory takes, from one seed."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)

    def right(self) -> Dag:
        """A DAG that Airflow takes."""
        names = [f"task_{number}" for number in range(self.dice.randint(1, 5))]
        groups = self._groups()
        tasks: dict[str, Task] = {}
        for name in names:
            tasks[name] = self._task(name, tasks, groups)
        dag: Dag = {"tasks": tasks, **self._some(self._keys_of_dag(), 4)}
        if dag.get("catchup"):
            dag.setdefault("start_date", "2024-01-01")
        if groups:
            dag["task_groups"] = groups
            self._wait_for_groups(tasks, groups)
        if dag.get("schedule") == "@continuous":
            dag["max_active_runs"] = 1
        if self.dice.random() < 0.4:
            dag["default_args"] = self._some(self._options(), 3)
        return self._as_lists(dag) if self.dice.random() < 0.2 else dag

    def mutated(self, dag: Dag) -> Dag:
        """The DAG with up to three changes, any of which may break it."""
        dag = copy.deepcopy(dag)
        for _ in range(self.dice.randint(1, 3)):
            places = list(_places(dag))
            if not places:
                break
            at, key = self.dice.choice(places)
            self.dice.choice(self._changes)(self, dag, at, key)
        return dag

    # Right ones

    def _some(self, of: dict[str, Callable[[], Any]], most: int) -> dict[str, Any]:
        keys = self.dice.sample(sorted(of), self.dice.randint(0, min(most, len(of))))
        return {key: of[key]() for key in keys}

    def _one(self, *values: Any) -> Any:
        return copy.deepcopy(self.dice.choice(values))

    def _keys_of_dag(self) -> dict[str, Callable[[], Any]]:
        one = self._one
        return {
            "catchup": lambda: one(True, False),
            "dag_display_name": lambda: one("Tidy", "Täglich ☂"),
            "dagrun_timeout": lambda: one(*_SPANS),
            "description": lambda: one("Tidies up", "", None),
            "doc_md": lambda: one("# Tidy\n\nUp.", None),
            "end_date": lambda: one(date(2031, 1, 31), "2031-01-31"),
            "is_paused_upon_creation": lambda: one(True, False, None),
            "max_active_runs": lambda: one(1, 3, 16),
            "max_active_tasks": lambda: one(1, 4),
            "on_failure_callback": lambda: one(*_CALLBACKS),
            "on_success_callback": lambda: one(*_CALLBACKS),
            "params": lambda: one({"day": "monday", "n": 1}, {}, {"p": _PARAM}),
            "render_template_as_native_obj": lambda: one(True, False),
            "schedule": lambda: one(*_SCHEDULES),
            "start_date": lambda: one(*_DATES),
            "tags": lambda: one([], ["a"], ["a", "nightly"]),
            "template_searchpath": lambda: one("/tmp", ["/tmp", "/opt"]),
            "timezone": lambda: one("UTC", "Europe/Berlin"),
            "user_defined_macros": lambda: one({"choose": CHOOSE}, {}),
        }

    def _options(self) -> dict[str, Callable[[], Any]]:
        one = self._one
        return {
            "depends_on_past": lambda: one(True, False),
            "doc_md": lambda: one("what", None),
            "execution_timeout": lambda: one(*_SPANS),
            "max_active_tis_per_dag": lambda: one(1, 2),
            "on_execute_callback": lambda: one(*_CALLBACKS),
            "on_failure_callback": lambda: one(*_CALLBACKS),
            "on_retry_callback": lambda: one(*_CALLBACKS),
            "owner": lambda: one("marine", "somebody"),
            "pool": lambda: one("default_pool", "narrow"),
            "pool_slots": lambda: one(1, 2),
            "priority_weight": lambda: one(1, 5),
            "queue": lambda: one("default", "large"),
            "retries": lambda: one(0, 2),
            "retry_delay": lambda: one(30, 1.5, *_SPANS),
            "retry_exponential_backoff": lambda: one(True, False),
            "trigger_rule": lambda: one("all_success", "all_done", "none_failed"),
            "wait_for_downstream": lambda: one(False, True),
            "weight_rule": lambda: one("downstream", "absolute"),
        }

    def _task(self, name: str, made: dict[str, Task], groups: dict[str, Any]) -> Task:
        before = list(made)
        makers = (self._bash, self._empty, self._python, self._sensor)
        if self.dice.random() < 0.25:
            task = self._decorated([one for one, other in made.items() if "decorator" in other])
        elif made and self.dice.random() < 0.1:
            task = self._mapped_over(made, groups)
        else:
            task = self.dice.choice(makers)()
        if "expand" not in task:
            task |= self._some(self._options(), 3)
        if before and self.dice.random() < 0.6:
            waits = self.dice.sample(before, self.dice.randint(1, len(before)))
            task["dependencies"] = list(dict.fromkeys([*task.get("dependencies", ()), *waits]))
        if groups and self.dice.random() < 0.5:
            task["task_group_name"] = self._one(*groups)
        for key in ("inlets", "outlets"):
            if self.dice.random() < 0.1:
                task[key] = self._one([f"own_{name}"], ["s3://bucket/a.csv"], [_asset(name)])
        return task

    def _mapped_over(self, made: dict[str, Task], groups: dict[str, Any]) -> Task:
        """A task for each element that another one returns."""
        operators = {name: one for name, one in made.items() if "operator" in one}
        if not operators:
            return self._bash()
        name = self._one(*operators)
        found, group = name, operators[name].get("task_group_name")
        while group is not None and groups[group].get("prefix_group_id", True):
            found, group = f"{group}.{found}", groups[group].get("parent_group_name")
        return {
            "operator": f"{STANDARD}.operators.bash.BashOperator",
            "expand": {"bash_command": self._one(f"{found}.output", f"XcomArg({found})")},
            "partial": {"cwd": "/tmp"},
            "dependencies": [name],
        }

    def _bash(self) -> Task:
        task = {"operator": f"{STANDARD}.operators.bash.BashOperator"}
        if self.dice.random() < 0.3:
            return {
                **task,
                "expand": {"bash_command": ["echo 1", "echo 2"]},
                "partial": self._one({"cwd": "/tmp"}, {"retries": 2}, {"env": {"A": "b"}}),
            }
        more = {
            "env": lambda: self._one({"A": "1"}, {}),
            "append_env": lambda: self._one(True, False),
            "cwd": lambda: "/tmp",
            "do_xcom_push": lambda: self._one(True, False),
            "skip_on_exit_code": lambda: self._one(99, [98, 99], None),
        }
        command = self._one("echo {{ ds }}", "true", "echo {{ params.n }}")
        return {**task, "bash_command": command, **self._some(more, 2)}

    def _empty(self) -> Task:
        name = self._one("empty.EmptyOperator", "latest_only.LatestOnlyOperator")
        return {"operator": f"{STANDARD}.operators.{name}"}

    def _python(self) -> Task:
        kind = self._one("PythonOperator", "BranchPythonOperator", "ShortCircuitOperator")
        path = f"{STANDARD}.operators.python.{kind}"
        function, arguments = self._one(
            (CHOOSE, {"op_kwargs": {"high": True}}),
            (LOAD, {"op_args": ["monday"]}),
            (LOAD, {"op_kwargs": {"day": "{{ ds }}", "path": "/tmp"}}),
        )
        return {"operator": path, "python_callable": function, **arguments}

    def _sensor(self) -> Task:
        kind, arguments = self._one(
            ("sensors.filesystem.FileSensor", {"filepath": "/tmp/a", "fs_conn_id": "fs_default"}),
            ("sensors.bash.BashSensor", {"bash_command": "true"}),
            (
                "sensors.python.PythonSensor",
                {"python_callable": CHOOSE, "op_kwargs": {"high": True}},
            ),
            (
                "sensors.external_task.ExternalTaskSensor",
                {"external_dag_id": "marine.other", "external_task_id": "last"},
            ),
            (
                "sensors.external_task.ExternalTaskSensor",
                {
                    "external_dag_id": "marine.other",
                    "execution_delta": "1 day",
                    "allowed_states": ["success"],
                },
            ),
            (
                "operators.trigger_dagrun.TriggerDagRunOperator",
                {"trigger_dag_id": "marine.other", "conf": {"a": [1, {"b": None}]}},
            ),
        )
        task = {"operator": f"{STANDARD}.{kind}", **arguments}
        if "sensors" in kind:
            task |= self._some(
                {
                    "mode": lambda: self._one("poke", "reschedule"),
                    "poke_interval": lambda: self._one(5, 60.5, _SPANS[0]),
                    "soft_fail": lambda: self._one(True, False),
                    "timeout": lambda: self._one(60, 3600),
                },
                2,
            )
        return task

    def _decorated(self, before: list[str]) -> Task:
        task: Task = {"decorator": "airflow.sdk.task", "python_callable": LOAD}
        if self.dice.random() < 0.3:
            return {**task, "partial": {"path": "/tmp"}, "expand": {"day": ["monday", "tuesday"]}}
        if before and self.dice.random() < 0.4:
            source = self._one(*before)
            return {**task, "day": f"+{source}", "dependencies": [source]}
        return {**task, "day": self._one("monday", "{{ ds }}")}

    def _groups(self) -> dict[str, Any]:
        one = self._one
        keys = {
            "tooltip": lambda: one("Tools", ""),
            "prefix_group_id": lambda: one(True, False),
            "default_args": lambda: self._some(self._options(), 2),
            "ui_color": lambda: one("#ffffff", "CornflowerBlue"),
            "group_display_name": lambda: one("The tools", ""),
        }
        names = [f"group_{number}" for number in range(self.dice.choice((0, 0, 1, 2, 3)))]
        groups = {name: self._some(keys, 2) for name in names}
        for index, name in enumerate(names[1:], 1):
            if self.dice.random() < 0.4:
                groups[name]["parent_group_name"] = one(*names[:index])
        return groups

    def _wait_for_groups(self, tasks: dict[str, Task], groups: dict[str, Any]) -> None:
        """Let a last task wait for a group; whether it is empty makes no difference."""
        if self.dice.random() < 0.3:
            tasks["last"] = {**self._empty(), "dependencies": [self._one(*groups)]}

    def _as_lists(self, dag: Dag) -> Dag:
        """The same with `tasks` and `task_groups` as lists."""
        for section, key in (("tasks", "task_id"), ("task_groups", "group_name")):
            if section in dag:
                dag[section] = [{key: name, **one} for name, one in dag[section].items()]
        return dag

    # Changes

    def _drop(self, _: Dag, at: Any, key: Any) -> None:
        del at[key]

    def _rename(self, _: Dag, at: Any, key: Any) -> None:
        if isinstance(at, dict):
            name = str(key)
            place = self.dice.randrange(len(name))
            spelt = name[:place] + self.dice.choice(["", "x", name[place] * 2, "-", " "])
            at[spelt + name[place + 1 :]] = at.pop(key)

    def _replace(self, _: Dag, at: Any, key: Any) -> None:
        at[key] = self._one(*_VALUES)

    def _wrap(self, _: Dag, at: Any, key: Any) -> None:
        at[key] = self._one([at[key]], {"a": at[key]}, str(at[key]), [at[key], at[key]])

    def _swap(self, dag: Dag, at: Any, key: Any) -> None:
        other, its_key = self.dice.choice(list(_places(dag)))
        at[key] = copy.deepcopy(other[its_key])

    def _add(self, _: Dag, at: Any, key: Any) -> None:
        target = at[key] if isinstance(at[key], dict) else at
        if isinstance(target, dict):
            known = {**self._keys_of_dag(), **self._options(), **_OTHERS}
            name = self._one(*sorted(known))
            target[name] = self._one(known[name](), *_VALUES)
        elif isinstance(target, list):
            target.append(self._one(*_VALUES))

    _changes = (_drop, _rename, _replace, _wrap, _swap, _add)


def _asset(name: str) -> dict[str, Any]:
    return {"__type__": ASSET, "uri": f"s3://bucket/{name}"}


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Each key of a mapping and index of a list in a value, with what it is of."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, child in items:
        yield value, key
        if isinstance(child, dict | list):
            yield from _places(child)


_SPANS = (
    {"__type__": "datetime.timedelta", "minutes": 5},
    {"__type__": "datetime.timedelta", "days": 1, "seconds": 1},
)
_DATES = (date(2024, 1, 1), datetime(2024, 1, 1, 6, 30), "2024-01-01", "2 days")  # noqa: DTZ001
_PARAM = {"__type__": "airflow.sdk.Param", "default": 1, "type": "integer"}
_CALLBACKS = (TOLD, {"callback": TOLD, "why": "it matters"})
_TIMETABLES = "airflow.timetables"
_SCHEDULES = (
    *("@daily", "@continuous", "30 2 * * 1-5", None, "@once", "0 6 1 * *"),
    *(["s3://bucket/a.csv"], ["s3://bucket/a", "s3://bucket/b"], [_asset("a")]),
    {"__or__": [_asset("a"), {"__and__": [_asset("b"), _asset("c")]}]},
    {"__type__": "datetime.timedelta", "hours": 6},
    {
        "__type__": f"{_TIMETABLES}.trigger.CronTriggerTimetable",
        "cron": "0 1 * * *",
        "timezone": "UTC",
    },
    {
        "__type__": f"{_TIMETABLES}.interval.DeltaDataIntervalTimetable",
        "delta": {"__type__": "datetime.timedelta", "hours": 6},
    },
)
_VALUES = (
    *(None, True, False, 0, 1, -1, 2.5, "", "x", "1", "true", " ", "a.b.c", "+task_0", "{{ ds }}"),
    *([], [1], ["x"], [None], {}, {"a": 1}, {"a": {"b": []}}, "x" * 300, 10**30, 1e300, "ü\n☂"),
    *(date(2024, 1, 1), datetime(2024, 1, 1), "2024-01-01", "1 day", "task_0.output", "{{ x"),  # noqa: DTZ001
    *("task_0", "group_0", ["task_0"], ["task_1"], ["group_0"], [["task_0"]], _asset("a")),
    *(_SPANS[0], {"__type__": "datetime.timedelta"}, {"__type__": "builtins.list", "items": [1]}),
    *({"__type__": ASSET}, {"__args__": [1]}, {"__and__": []}, {"__join__": ["a", "b"]}),
    *(CHOOSE, LOAD, f"{STANDARD}.operators.empty.EmptyOperator", "airflow.sdk.task"),
)
_OTHERS: dict[str, Callable[[], Any]] = {
    "vars": lambda: {"a": 1},
    "expand": lambda: {"bash_command": ["a"]},
    "partial": lambda: {"cwd": "/tmp"},
    "variables_as_arguments": lambda: [{"variable": "v", "attribute": "bash_command"}],
    "concurrency": lambda: 4,
    "params": lambda: {"a": 1},
    "task_concurrency": lambda: 1,
    "resources": lambda: {"cpus": 1},
    "executor_config": lambda: {"a": 1},
    "start_date": lambda: "2024-01-01",
    "sla": lambda: 5,
    "dag": lambda: 1,
    "task_id": lambda: "x",
    "task_group": lambda: "x",
    "email": lambda: ["a@example.org"],
    "run_as_user": lambda: "x",
    "executor": lambda: "LocalExecutor",
    "map_index_template": lambda: "{{ x }}",
    "multiple_outputs": lambda: True,
}
"""Keys that no right one has, and what may stand there."""
