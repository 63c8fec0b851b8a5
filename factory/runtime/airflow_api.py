"""A small typed client of Airflow's REST API v2."""

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self, TypeVar

import httpx
from pydantic import JsonValue

from factory.runtime.airflow_records import (
    ApprovalRequest,
    AssetDetails,
    AssetEvent,
    DagRecord,
    DagRun,
    ImportProblem,
    Record,
    TaskInstance,
)
from factory.runtime.errors import EmbeddedRuntimeError
from factory.runtime.home import DATABASE_PATIENCE

_PAGE = 100
_REACHED = 30.0
"""Seconds in which Airflow takes a connection and a request."""
_ANSWERED = DATABASE_PATIENCE["timeout"] + 30
"""Seconds in which Airflow answers: it may wait for its database that long, and does the thing afterwards."""
_QUEUED = 300.0
"""Seconds that a run may wait for its predecessor before a question about its events is given up."""
_WHO = "name a user and the password that Airflow knows"
_RecordT = TypeVar("_RecordT", bound=Record)
_T = TypeVar("_T")
_Parameter = str | int | bool | None


class AirflowRefusedError(EmbeddedRuntimeError):
    """Airflow answered a request with an error."""

    def __init__(self, request: str, status: int, detail: str) -> None:
        self.status = status
        super().__init__(f"Airflow answered {request} with {status}: {detail}")


class NoAnswerFromAirflowError(EmbeddedRuntimeError):
    """Airflow did not answer a request."""

    def __init__(self, request: str, error: Exception, *, is_heard: bool) -> None:
        self.is_heard = is_heard
        """Whether Airflow may have done what was asked all the same."""
        super().__init__(f"no answer to {request}: {type(error).__name__} {error}")


class NotInTimeError(EmbeddedRuntimeError):
    """Something that was waited for did not happen."""

    def __init__(self, what: str, seconds: float) -> None:
        super().__init__(f"{what}: not within {seconds:.0f} s")


class AirflowClient:
    """Talks to one Airflow; may be used as a context manager, which closes its connections."""

    def __init__(
        self,
        url: str,
        *,
        username: str | None = None,
        password: str | None = None,
        token: str | None = None,
        transport: httpx.BaseTransport | None = None,
        pause: Callable[[float], None] = time.sleep,
        patience: float = 0,
    ) -> None:
        """Connects at the first request.

        Args:
            url: Airflow's address, without a path.
            username: Left out where everybody is an administrator, as in the embedded runtime.
            password: Belongs to the name.
            token: What Airflow gave the user, in place of name and password.
            transport: What carries requests, if not the network.
            pause: Waits that many seconds between two questions.
            patience: Seconds that a question is asked again while nobody answers.
        """
        # A proxy cannot reach loopback addresses.
        patient = httpx.Timeout(_REACHED, read=_ANSWERED)
        self._http = httpx.Client(
            base_url=url, timeout=patient, trust_env=False, transport=transport
        )
        if token is not None:
            self._http.headers["Authorization"] = f"Bearer {token}"
        self._login = {"username": username, "password": password} if username else None
        self._pause = pause
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    # What Airflow has read

    def import_errors(self) -> list[ImportProblem]:
        """What the DAG processor could not import."""
        return list(self.records("/importErrors", "import_errors", ImportProblem))

    def dags(self) -> list[DagRecord]:
        """The DAGs that Airflow knows, without those whose file no longer has them."""
        return list(self.records("/dags", "dags", DagRecord, exclude_stale=True))

    def dag(self, dag_id: str) -> DagRecord:
        """One DAG."""
        return DagRecord.model_validate(self.get(f"/dags/{dag_id}"))

    def reparse(self, dag_id: str) -> None:
        """Have the file of a DAG read again now."""
        self._request("PUT", f"/parseDagFile/{self.dag(dag_id).file_token}", allowed=(409,))

    def unpause(self, dag_id: str, *, paused: bool = False) -> None:
        """Let a DAG run, or stop letting it."""
        self._request("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})

    # Runs

    def trigger(
        self, dag_id: str, *, conf: dict[str, Any] | None = None, run_id: str | None = None
    ) -> DagRun:
        """Start a run by hand."""
        body = {"logical_date": None, "conf": conf or {}, "dag_run_id": run_id}
        return DagRun.model_validate(self._request("POST", f"/dags/{dag_id}/dagRuns", json=body))

    def runs(self, dag_id: str = "~") -> list[DagRun]:
        """The runs of a DAG, or of all, oldest first."""
        path = f"/dags/{dag_id}/dagRuns"
        return list(self.records(path, "dag_runs", DagRun, order_by="id"))

    def run(self, dag_id: str, run_id: str) -> DagRun:
        """One run."""
        return DagRun.model_validate(self.get(f"/dags/{dag_id}/dagRuns/{run_id}"))

    def set_run_state(self, dag_id: str, run_id: str, state: str) -> None:
        """Mark a run `queued`, `success` or `failed`."""
        self._request("PATCH", f"/dags/{dag_id}/dagRuns/{run_id}", json={"state": state})

    def wait_for_run(self, dag_id: str, run_id: str, *, seconds: float) -> DagRun:
        """Wait until a run has ended, well or badly.

        Raises:
            NotInTimeError: it still runs.
        """

        def ended() -> DagRun | None:
            run = self.run(dag_id, run_id)
            return run if run.ended else None

        return self.wait_until(ended, f"the end of {dag_id} {run_id}", seconds=seconds)

    # Tasks

    def tasks(self, dag_id: str, run_id: str) -> list[TaskInstance]:
        """The task instances of a run, those of mapped tasks one by one."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        return list(self.records(path, "task_instances", TaskInstance))

    def set_task_state(self, task: TaskInstance, state: str) -> None:
        """Mark a task instance as `success`, `failed` or `skipped`."""
        path = self._task_path(task)
        if task.map_index >= 0:
            path = f"{path}/{task.map_index}"
        self._request("PATCH", path, json={"new_state": state})

    def clear(self, task: TaskInstance) -> None:
        """Have one task instance run again, in the same run."""
        path = f"/dags/{task.dag_id}/clearTaskInstances"
        body = {
            "dag_run_id": task.dag_run_id,
            "task_ids": [[task.task_id, task.map_index] if task.map_index >= 0 else task.task_id],
            "only_failed": False,
            "dry_run": False,
        }
        self._request("POST", path, json=body)

    def log(self, task: TaskInstance, *, attempt: int | None = None) -> list[str]:
        """The lines of a task instance's log: its last attempt's, unless another is named."""
        answer = self.get(
            f"{self._task_path(task)}/logs/{attempt or task.try_number}",
            map_index=task.map_index,
            full_content=True,
        )
        return list(_log_lines(answer["content"]))

    def links(self, task: TaskInstance) -> dict[str, str | None]:
        """Where the buttons on a task instance's page lead, by what they say."""
        answer = self.get(f"{self._task_path(task)}/links", map_index=task.map_index)
        return dict(answer["extra_links"])

    def xcom(
        self,
        dag_id: str,
        run_id: str,
        task_id: str,
        *,
        key: str = "return_value",
        map_index: int = -1,
    ) -> JsonValue:
        """What a task left for others; None when there is nothing."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        try:
            value: JsonValue = self.get(path, map_index=map_index, deserialize=False)["value"]
        except AirflowRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise
        return value

    # Assets

    def assets(self) -> list[AssetDetails]:
        """Every asset, with who produces it and whom it starts."""
        return list(self.records("/assets", "assets", AssetDetails))

    def asset_events(
        self, *, dag_id: str | None = None, run_id: str | None = None
    ) -> list[AssetEvent]:
        """The events that a DAG (or one run of it) emitted, or all events; oldest first."""
        query = {"source_dag_id": dag_id, "source_run_id": run_id, "order_by": "timestamp"}
        return self._once_runs_have_begun(
            lambda: list(self.records("/assets/events", "asset_events", AssetEvent, **query))
        )

    def upstream_asset_events(self, dag_id: str, run_id: str) -> list[AssetEvent]:
        """The events that started a run."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/upstreamAssetEvents"
        answer = self._once_runs_have_begun(lambda: self.get(path))
        return [AssetEvent.model_validate(event) for event in answer["asset_events"]]

    def queued_assets(self, dag_id: str) -> int:
        """How many assets have news for a DAG that waits for others still."""
        try:
            return int(self.get(f"/dags/{dag_id}/assets/queuedEvents")["total_entries"])
        except AirflowRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return 0
            raise

    def emit(self, asset: str, extra: dict[str, Any]) -> AssetEvent:
        """Emit an event of an asset by hand; it starts what a task's event starts.

        Args:
            asset: The asset's name.
            extra: What consumers are told.

        Raises:
            AirflowRefusedError: Airflow knows no such asset, or the user may not.
            NoAnswerError: Airflow does not answer; see `is_heard`.
        """
        known = self.records("/assets", "assets", AssetDetails, name_pattern=asset)
        ids = [one.id for one in known if one.name == asset]
        if not ids:
            raise AirflowRefusedError(
                f"a search for the asset {asset}",
                httpx.codes.NOT_FOUND,
                "no DAG that it has read names such an asset",
            )
        body = {"asset_id": ids[0], "extra": extra}
        return AssetEvent.model_validate(self._request("POST", "/assets/events", json=body))

    # People

    def approval(self, task: TaskInstance) -> ApprovalRequest | None:
        """What a task asks of a person; None as long as it has not asked."""
        try:
            return ApprovalRequest.model_validate(self.get(self._approval_path(task)))
        except AirflowRefusedError as error:
            if error.status == httpx.codes.NOT_FOUND:
                return None
            raise

    def answer(self, task: TaskInstance, option: str) -> None:
        """Choose one of the options, `Approve` or `Reject`, as the user of this client.

        Raises:
            AirflowRefusedError: It was answered before, or somebody else has to.
        """
        self._request("PATCH", self._approval_path(task), json={"chosen_options": [option]})

    def wait_until(self, question: Callable[[], _T | None], what: str, *, seconds: float) -> _T:
        """Ask until there is an answer other than None or False.

        Raises:
            NotInTimeError: names `what` was waited for.
        """
        deadline = time.monotonic() + seconds
        while not (answer := question()):
            if time.monotonic() > deadline:
                raise NotInTimeError(what, seconds)
            self._pause(0.3)
        return answer

    # Underneath

    def _once_runs_have_begun(self, ask: Callable[[], _T]) -> _T:
        """What `ask` returns, as soon as Airflow can tell.

        Airflow 3.3.2 answers with 500 while a run that an event created is queued: its answer
        insists on a start date of every run.
        """
        deadline = time.monotonic() + _QUEUED
        while True:
            try:
                return ask()
            except AirflowRefusedError as error:
                is_last = time.monotonic() > deadline
                if is_last or error.status != httpx.codes.INTERNAL_SERVER_ERROR:
                    raise
            self._pause(0.3)

    @staticmethod
    def _task_path(task: TaskInstance) -> str:
        return f"/dags/{task.dag_id}/dagRuns/{task.dag_run_id}/taskInstances/{task.task_id}"

    def _approval_path(self, task: TaskInstance) -> str:
        return f"{self._task_path(task)}/{task.map_index}/hitlDetails"

    def records(
        self, path: str, key: str, kind: type[_RecordT], **query: _Parameter
    ) -> Iterator[_RecordT]:
        """All objects of an answer that comes in pages, under `key`."""
        offset = 0
        while True:
            page = self.get(path, limit=_PAGE, offset=offset, **query)
            yield from map(kind.model_validate, page[key])
            offset += _PAGE
            if offset >= page["total_entries"]:
                return

    def get(self, path: str, **query: _Parameter) -> dict[str, Any]:
        """The answer to a question, as Airflow gives it."""
        given = {name: value for name, value in query.items() if value is not None}
        return self._request("GET", path, params=given)

    def _request(
        self,
        method: str,
        path: str,
        *,
        allowed: tuple[int, ...] = (),
        params: Mapping[str, _Parameter] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> dict[str, Any]:
        if "Authorization" not in self._http.headers:
            self._http.headers["Authorization"] = f"Bearer {self._token()}"
        answer = self._send(method, f"/api/v2{path}", params=params, json=json)
        if answer.is_error and answer.status_code not in allowed:
            raise AirflowRefusedError(f"{method} {path}", answer.status_code, answer.text[:2000])
        return dict(answer.json() or {}) if answer.content else {}

    def _send(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, _Parameter] | None = None,
        json: Mapping[str, object] | None = None,
    ) -> httpx.Response:
        deadline = time.monotonic() + self._patience
        while True:
            try:
                return self._http.request(method, path, params=params, json=json)
            except httpx.TransportError as error:
                # What changes something is not repeated, unless nobody can have heard it.
                is_heard = method != "GET" and not isinstance(error, httpx.ConnectError)
                if is_heard or time.monotonic() > deadline:
                    request = f"{method} {self._http.base_url}{path}"
                    raise NoAnswerFromAirflowError(request, error, is_heard=is_heard) from error
            self._pause(0.3)

    def _token(self) -> str:
        if self._login:
            answer = self._send("POST", "/auth/token", json=self._login)
        else:
            answer = self._send("GET", "/auth/token")
        if answer.is_error:
            raise AirflowRefusedError("the request for a token", answer.status_code, _WHO)
        return str(answer.json()["access_token"])


def _log_lines(content: list[Any]) -> Iterator[str]:
    for entry in content:
        if isinstance(entry, str):
            yield entry
            continue
        event = str(entry.get("event", ""))
        if event.startswith("::"):  # marks a foldable group in Airflow's page
            continue
        yield event
        for detail in entry.get("error_detail") or ():
            yield f"{detail.get('exc_type')}: {detail.get('exc_value')}"
