"""Failed runs: tasks leave their errors, and the run's callback sends one message that names them.

Airflow calls the callback once for a run that has failed, in a process of the DAG processor, where
it has neither the tasks' exceptions nor their logs. So a task that fails leaves its error as XCom
(Airflow clears it when the task is tried again), and the callback asks for it.
"""

import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from factory.airflow.masking import shown
from factory.airflow.messages import send
from factory.airflow.pages import log_url, run_url
from factory.notifiers.message import Message

log = logging.getLogger(__name__)

ERROR = "error"
"""The XCom key of a failed task's error."""

_CHARACTERS = 2_000
"""As much of an error's text as is kept: an XCom is no place for whole logs."""
_SHOWN = 3
"""Of how many failed tasks a message has the errors."""

_REASONS = {
    "task_failure": "a task failed",
    "all_tasks_deadlocked": "its tasks wait for each other",
    "timed_out": "it took too long",
}
"""Airflow's words for why a run has failed, in a person's."""


def remember(ti: Any, error: BaseException) -> None:
    """Leave a task's error for the message about its run."""
    ti.xcom_push(key=ERROR, value=describe(error))


def describe(error: BaseException) -> str:
    """An error in words: our own as they are, others with their type; at most 2,000 characters.

    Without the secrets that are known.
    """
    from factory.base.errors import FactoryError

    text = str(error).strip()
    if not isinstance(error, FactoryError):
        text = f"{type(error).__name__}: {text}" if text else type(error).__name__
    # Masked before it is cut: part of a secret is not known.
    text = shown("\n".join([text, *getattr(error, "__notes__", ())]))
    return text if len(text) <= _CHARACTERS else f"{text[:_CHARACTERS]} …"


@dataclass(frozen=True)
class FailedTask:
    """A failed task instance."""

    task_id: str
    map_index: int = -1


def run_failed(
    context: Mapping[str, Any],
    *,
    targets: Sequence[Mapping[str, Any]],
    internal_hosts: Sequence[str] = (),
) -> None:
    """Tell people that a run has failed; a DAG's `on_failure_callback`. Never raises.

    Args:
        context: Airflow's context of a DAG's callback.
        targets: Sections of `notify` as plain data.
        internal_hosts: Servers that may be told though they are internal.
    """
    try:
        message = _message(context)
    except Exception:
        log.exception("the message about the failed run %s cannot be made", context.get("run_id"))
        return
    send(message, targets, context, internal_hosts=internal_hosts)


def _message(context: Mapping[str, Any]) -> Message:
    dag, run_id = context["dag"], str(context["run_id"])
    failed = _failed_tasks(context)
    reason = str(context.get("reason") or "")
    facts = {
        "run": run_id,
        "owner": str(dag.default_args.get("owner") or dag.owner),
        "reason": _REASONS.get(reason, reason or "unknown"),
    }
    if not failed:
        facts["reason"] = "stopped; none of its tasks has failed"
    else:
        facts["failed"] = "; ".join(_counted(failed))
        facts["log"] = log_url(dag.dag_id, run_id, failed[0].task_id, failed[0].map_index)
    return Message(
        event="on_failure",
        subject=f"{dag.dag_id} failed",
        facts=facts,
        detail="\n\n".join(_errors(dag.dag_id, run_id, failed)),
        url=run_url(dag.dag_id, run_id),
    )


def _failed_tasks(context: Mapping[str, Any]) -> list[FailedTask]:
    """The run's failed tasks; just the last one where there is nobody to ask."""
    from airflow.sdk.execution_time import task_runner

    dag, run_id = context["dag"], str(context["run_id"])
    if not _can_ask():
        ti = context.get("ti")
        return [FailedTask(ti.task_id, ti.map_index)] if ti is not None else []
    states = task_runner.RuntimeTaskInstance.get_task_states(dag_id=dag.dag_id, run_ids=[run_id])
    return sorted(
        (
            _instance(key, dag.task_ids)
            for key, state in states.get(run_id, {}).items()
            if str(getattr(state, "value", state)) == "failed"
        ),
        key=lambda task: (dag.task_ids.index(task.task_id), task.map_index),
    )


def _can_ask() -> bool:
    """Whether there is a supervisor to ask; a run in the foreground, `dag.test()`, has none."""
    from airflow.sdk.execution_time import task_runner

    return getattr(task_runner, "SUPERVISOR_COMMS", None) is not None


def _instance(key: str, task_ids: Sequence[str]) -> FailedTask:
    """The task instance of Airflow's key: a task's id, or `<id>_<map index>`."""
    if key in task_ids:
        return FailedTask(key)
    task_id, _, index = key.rpartition("_")
    return FailedTask(task_id, int(index))


def _counted(failed: Iterable[FailedTask]) -> Iterator[str]:
    """Tasks by name, with how many instances of a mapped one failed."""
    indexes: dict[str, list[int]] = {}
    for task in failed:
        indexes.setdefault(task.task_id, []).append(task.map_index)
    for task_id, found in indexes.items():
        if found == [-1]:
            yield task_id
        else:
            numbers = ", ".join(map(str, found))
            yield f"{task_id} ({len(found)} mapped: {numbers})"


def _errors(dag_id: str, run_id: str, failed: Sequence[FailedTask]) -> Iterator[str]:
    """The errors of the first tasks, equal ones once."""
    shown: dict[str, FailedTask] = {}
    for task in failed[: 5 * _SHOWN]:
        text = _error(dag_id, run_id, task)
        shown.setdefault(text, task)
        if len(shown) == _SHOWN:
            break
    for text, task in shown.items():
        where = task.task_id if task.map_index < 0 else f"{task.task_id} [{task.map_index}]"
        yield f"{where}:\n{text}"
    if len(failed) > len(shown):
        yield f"{len(failed)} task instances failed in all; the logs have the other errors."


def _error(dag_id: str, run_id: str, task: FailedTask) -> str:
    from airflow.sdk.execution_time.xcom import XCom

    if not _can_ask():
        return "see its log"
    found = XCom.get_one(
        key=ERROR,
        dag_id=dag_id,
        run_id=run_id,
        task_id=task.task_id,
        map_index=task.map_index,
    )
    return str(found) if found else "left no error: see its log; it may have been ended"
