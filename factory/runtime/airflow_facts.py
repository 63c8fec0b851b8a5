"""What `factory.status` asks of an Airflow, asked through its REST API."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

import httpx

from factory.runtime.airflow_api import AirflowClient, AirflowRefusedError
from factory.runtime.airflow_records import AssetDetails, DagRun, TaskInstance
from factory.status.airflow_facts import (
    ApprovalFacts,
    DagFacts,
    EventFacts,
    RunFacts,
    TaskFacts,
)

_NEWEST_RUNS = 1000
"""Runs of all DAGs that are looked through for the last ones."""
_PAGE = 100
_QUIET = (None, "success", "skipped", "removed", "upstream_failed")
"""States of tasks of which there is nothing to say."""
_ERROR = re.compile(r"[\w.]*(Error|Exception|Exit|Timeout|Interrupt)\w*: \S")
_LONGEST = 300


class AirflowByRest:
    """An Airflow that answers at an address."""

    def __init__(self, client: AirflowClient, address: str) -> None:
        self._client = client
        self.address = address

    def dags(self) -> Mapping[str, DagFacts]:
        """The DAGs that it knows, by id."""
        return {
            dag.dag_id: DagFacts(is_paused=dag.is_paused, next_run=dag.next_dagrun_run_after)
            for dag in self._client.dags()
        }

    def last_runs(self, dag_ids: Collection[str]) -> Mapping[str, RunFacts]:
        """The newest run of each of these DAGs, among the last thousand of all."""
        found: dict[str, RunFacts] = {}
        for offset in range(0, _NEWEST_RUNS, _PAGE):
            page = self._client.get("/dags/~/dagRuns", order_by="-id", limit=_PAGE, offset=offset)
            for run in map(DagRun.model_validate, page["dag_runs"]):
                if run.dag_id in dag_ids:
                    found.setdefault(run.dag_id, _run(run))
            if found.keys() >= set(dag_ids) or offset + _PAGE >= page["total_entries"]:
                break
        return found

    def tasks(self, run: RunFacts) -> Sequence[TaskFacts]:
        """What a run is at, or what has failed in it; not what has ended well."""
        answer = self._client.get(
            f"/dags/{run.dag_id}/dagRuns/{run.run_id}/taskInstances", limit=_PAGE
        )
        return [self._task(one) for one in answer["task_instances"] if one["state"] not in _QUIET]

    def _task(self, answer: dict[str, Any]) -> TaskFacts:
        task = TaskInstance.model_validate(answer)
        return TaskFacts(
            task=task.label,
            state=task.state or "",
            pool=answer.get("pool") or "",
            error=self._error(task) if task.state in ("failed", "up_for_retry") else "",
        )

    def _error(self, task: TaskInstance) -> str:
        try:
            lines = self._client.log(task)
        except AirflowRefusedError:
            return ""  # a log that is gone, or that this user may not read
        said = [line for line in lines if _ERROR.match(line)]
        last = (said or lines or [""])[-1].partition("\n")[0]
        # Airflow's own word for an error that trying again cannot help; what follows is ours.
        return last.removeprefix("AirflowFailException: ")[:_LONGEST]

    def approvals(self) -> Sequence[ApprovalFacts]:
        """The questions that nobody has answered."""
        answer = self._client.get(
            "/dags/~/dagRuns/~/hitlDetails",
            response_received=False,
            state="awaiting_input",
            limit=_PAGE,
        )
        return [
            ApprovalFacts(
                dag_id=one["task_instance"]["dag_id"],
                run_id=one["task_instance"]["dag_run_id"],
                subject=one["subject"],
                asked_at=datetime.fromisoformat(one["created_at"]),
                who=tuple(user["name"] for user in one["assigned_users"]),
            )
            for one in answer["hitl_details"]
        ]

    def news(self, dag_id: str) -> Mapping[str, datetime]:
        """The assets that have news for a DAG which waits for others still, and when these came."""
        try:
            queued = self._client.get(f"/dags/{dag_id}/assets/queuedEvents")["queued_events"]
        except AirflowRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return {}
            raise
        names = {asset.id: asset.name for asset in self._client.assets()} if queued else {}
        return {
            names[one["asset_id"]]: datetime.fromisoformat(one["created_at"])
            for one in queued
            if one["asset_id"] in names
        }

    def last_event(self, asset: str) -> EventFacts | None:
        """The last event of an asset; None where there was none."""
        known = self._client.records("/assets", "assets", AssetDetails, name_pattern=asset)
        ids = [one.id for one in known if one.name == asset]
        if not ids:
            return None
        answer = self._client.get("/assets/events", asset_id=ids[0], order_by="-timestamp", limit=1)
        for event in answer["asset_events"]:
            version = (event.get("extra") or {}).get("version")
            return EventFacts(
                at=datetime.fromisoformat(event["timestamp"]),
                version=version if isinstance(version, int) else None,
            )
        return None

    def paused_by(self, dag_id: str) -> tuple[datetime, str] | None:
        """When a person paused a DAG, and who; None where nobody did since Airflow met it."""
        try:
            answer = self._client.get(
                "/eventLogs", dag_id=dag_id, event="patch_dag", order_by="-when", limit=1
            )
        except AirflowRefusedError as error:
            if error.status == httpx.codes.FORBIDDEN:
                return None
            raise
        for one in answer["event_logs"]:
            return datetime.fromisoformat(one["when"]), str(one.get("owner") or "somebody")
        return None

    def open_slots(self, pool: str) -> int | None:
        """The free slots of a pool; None where there is no limit, or no such pool."""
        try:
            found = int(self._client.get(f"/pools/{pool}")["open_slots"])
        except AirflowRefusedError as error:
            if error.status in (httpx.codes.NOT_FOUND, httpx.codes.FORBIDDEN):
                return None
            raise
        return None if found < 0 else found


def _run(run: DagRun) -> RunFacts:
    return RunFacts(
        dag_id=run.dag_id,
        run_id=run.dag_run_id,
        state=run.state,
        started=run.start_date,
        ended=run.end_date,
    )
