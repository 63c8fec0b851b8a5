"""MLflow: the one place that knows how runs, inputs and files get there.

Runs are always named by id: MLflow's "active" run and experiment belong to a process, and the tasks
of a training run are many processes.
"""

import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit, urlunsplit

# MLflow reads these on import or at the first call. Its own patience with a server that does not
# answer is several minutes, without a word in the log; an operator's own values win.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "3")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "60")
# It asks the server for each run once more, to print what tasks link to anyway.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import (
    Dataset,
    DatasetInput,
    InputTag,
    LifecycleStage,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException, RestException
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID, MLFLOW_RUN_NOTE
from mlflow.utils.time import get_current_time_millis
from requests import RequestException
from urllib3.util import Retry

from factory.base.errors import FactoryError, TerminalError
from factory.base.git import Commit
from factory.models import mlflow_pages
from factory.models.creation import CREATION, created_once, is_unreachable, no_answer
from factory.models.origin import StartEvent, origin_tags
from factory.models.training_run import TrainingRun

if TYPE_CHECKING:
    # A service reads no snapshots: its image has none of the lake's libraries.
    from factory.lake.snapshot import Snapshot

# MLflow waits twice as long before each further try, up to two minutes: a server that is back is left waiting for as long
# as it was away. It looks here at each try.
Retry.DEFAULT_BACKOFF_MAX = 12

Status = Literal["FINISHED", "FAILED", "KILLED"]

# What tells a training run's own MLflow run from those of its trials.
_SWEEP = {"role": "sweep"}

CONFIGURATION = "configuration/section.json"
"""The artifact of a training run with the model's section that it was trained by."""

GATE_DECISION = "gate/decision.json"
"""The artifact of a training run with all that the gate decided on."""

_MACHINE_LEARNING = {"mlflow.experimentKind": "custom_model_development"}
"""What an experiment about models that are trained is tagged with."""

# MLflow's limit for one parameter's value; longer ones are refused.
_LONGEST_PARAM = 6000

# MLflow's limit for a tag is 8,000 characters.
_LONGEST_DESCRIPTION = 7_500

_HEADING = re.compile(r"^## ", re.MULTILINE)

# MLflow's limit for one call.
_MOST_METRICS = 1000


class TrackingError(FactoryError):
    """The MLflow server does not answer, or does not do what it is asked."""


class Tracking:
    """An MLflow server.

    Args:
        uri: Its address; without one, that in `MLFLOW_TRACKING_URI`.

    Raises:
        TerminalError: There is no address.
    """

    def __init__(self, uri: str | None = None) -> None:
        found = uri or os.environ.get("MLFLOW_TRACKING_URI")
        if not found:
            raise TerminalError(
                "no MLflow server is named: set MLFLOW_TRACKING_URI, such as http://localhost:5000"
            )
        self.uri = found
        self.client = MlflowClient(tracking_uri=found, registry_uri=found)

    @contextmanager
    def asked(self) -> Iterator[MlflowClient]:
        """The client, for calls whose failure comes out as one clear error.

        Raises:
            TrackingError: The server does not answer, or refuses.
        """
        try:
            yield self.client
        except (MlflowException, RequestException) as error:
            if not is_unreachable(error):
                raise TrackingError(
                    f"the MLflow server at {self.public_uri} refuses: {error}"
                ) from error
            # Without its cause, which repeats the address, password and all.
            raise TrackingError(
                f"the MLflow server at {self.public_uri} {no_answer(str(error))}"
            ) from None

    @property
    def public_uri(self) -> str:
        """The address without what may be a password in it."""
        parts = urlsplit(self.uri)
        if "@" not in parts.netloc:
            return self.uri
        return urlunsplit(parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}"))

    def run_page(self, experiment_id: str, run_id: str, below: str = "") -> str:
        """Where a person looks at a run, or at something below it, such as `artifacts/test`."""
        return mlflow_pages.run_page(self.public_uri, experiment_id, run_id, below)

    def version_page(self, model: str, version: int) -> str:
        """Where a person looks at a registered version."""
        return mlflow_pages.version_page(self.public_uri, model, version)

    def ensure_experiment(self, name: str) -> str:
        """The id of the experiment of this name, created where there is none; safe in a race.

        Raises:
            TerminalError: The experiment was deleted.
        """
        with self.asked() as client:
            found = client.get_experiment_by_name(name)
            if found is None:
                try:
                    return str(client.create_experiment(name, tags=_MACHINE_LEARNING))
                except RestException as error:
                    if error.error_code != "RESOURCE_ALREADY_EXISTS":
                        raise
                    found = client.get_experiment_by_name(name)
            elif not _MACHINE_LEARNING.keys() & found.tags.keys():
                for key, value in _MACHINE_LEARNING.items():
                    client.set_experiment_tag(found.experiment_id, key, value)
        if found is None or found.lifecycle_stage != LifecycleStage.ACTIVE:
            raise TerminalError(
                f"the MLflow experiment {name!r} was deleted: restore it, or delete it for good "
                "(`mlflow gc`)"
            )
        return str(found.experiment_id)

    def find_parent(self, experiment_id: str, run: TrainingRun) -> Run | None:
        """The MLflow run of a whole training run, if it was started before."""
        tags = {**run.identity(), **_SWEEP}
        return self._find_one(experiment_id, tags)

    def find_runs(
        self, experiment_id: str, tags: Mapping[str, str], *, most: int, condition: str = ""
    ) -> list[Run]:
        """The runs that have all these tags, the newest first, `most` of them at most.

        Args:
            experiment_id: The model's experiment.
            tags: What they are tagged with.
            most: How many are wanted.
            condition: Another one, as MLflow has it.
        """
        conditions = [f"tags.`{key}` = {_quoted(value)}" for key, value in tags.items()]
        conditions += [condition] if condition else []
        with self.asked() as client:
            found = client.search_runs(
                [experiment_id],
                " and ".join(conditions),
                max_results=most,
                order_by=["attributes.start_time DESC"],
            )
        return list(found)

    def _find_one(self, experiment_id: str, tags: Mapping[str, str]) -> Run | None:
        found = self.find_runs(experiment_id, tags, most=1)
        return found[0] if found else None

    def start_parent(
        self, experiment_id: str, run: TrainingRun, snapshots: Sequence["Snapshot"]
    ) -> str:
        """Start the MLflow run of a training run, or open the one that an earlier try started.

        Returns:
            Its MLflow run id.
        """
        earlier = self.find_parent(experiment_id, run)
        if earlier is None:
            part_of = {MLFLOW_PARENT_RUN_ID: run.part_of} if run.part_of else {}
            tags = {**run.tags(), **_SWEEP, **part_of}
            run_id = self._create_run(experiment_id, tags=tags, run_name=run.name)
        else:
            run_id = str(earlier.info.run_id)
        with self.asked() as client:
            if earlier is not None:
                client.update_run(run_id, status="RUNNING")
                client.log_batch(run_id, tags=_tags(run.tags()))
            client.log_inputs(run_id, [_dataset_input(snapshot) for snapshot in snapshots])
        return run_id

    def log_child(
        self,
        experiment_id: str,
        parent_run_id: str,
        *,
        name: str,
        tags: Mapping[str, str],
        params: Mapping[str, str],
        metrics: Mapping[str, float],
        history: Mapping[int, Mapping[str, float]] = MappingProxyType({}),
        started_at: int | None = None,
        status: Status = "FINISHED",
    ) -> str:
        """Log one trial, all at once: three calls, and one for each thousand values of a history.

        Args:
            experiment_id: The model's experiment.
            parent_run_id: The MLflow run of the training run.
            name: What a person calls the trial.
            tags: The child's tags; those that MLflow needs are added.
            params: Hyperparameters.
            metrics: Metrics.
            history: Metrics by step, such as an epoch.
            started_at: When it began, milliseconds since 1970; now, if left out.
            status: How it ended.

        Returns:
            Its MLflow run id.
        """
        run_id = self._create_run(
            experiment_id,
            start_time=started_at,
            tags={**tags, MLFLOW_PARENT_RUN_ID: parent_run_id},
            run_name=name,
        )
        self.log(run_id, metrics=metrics, params=params)
        self.log_history(run_id, history)
        self.finish(run_id, status)
        return run_id

    def _create_run(self, experiment_id: str, *, tags: Mapping[str, str], **how: Any) -> str:
        key = uuid.uuid4().hex

        def create() -> str:
            made = self.client.create_run(experiment_id, tags={**tags, CREATION: key}, **how)
            return str(made.info.run_id)

        def find() -> str | None:
            found = self._find_one(experiment_id, {CREATION: key})
            return str(found.info.run_id) if found else None

        return created_once(create, find, asked=self.asked)

    def log_history(self, run_id: str, history: Mapping[int, Mapping[str, float]]) -> None:
        """Log metrics by step, such as an epoch or a step of a forecast; one call for each thousand values."""
        now = get_current_time_millis()
        measured = [
            Metric(name, value, now, step)
            for step, values in history.items()
            for name, value in values.items()
        ]
        with self.asked() as client:
            for start in range(0, len(measured), _MOST_METRICS):
                client.log_batch(run_id, metrics=measured[start : start + _MOST_METRICS])

    def delete_child(self, experiment_id: str, parent_run_id: str, tags: Mapping[str, str]) -> None:
        """Take away what an earlier try logged for the same trial, if anything."""
        earlier = self._find_one(experiment_id, {**tags, MLFLOW_PARENT_RUN_ID: parent_run_id})
        if earlier is not None:
            with self.asked() as client:
                client.delete_run(earlier.info.run_id)

    def log(
        self,
        run_id: str,
        *,
        metrics: Mapping[str, float] | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> int:
        """Log to a run in one call.

        Returns:
            The time that the metrics have, in milliseconds since 1970.
        """
        now = int(get_current_time_millis())
        with self.asked() as client:
            client.log_batch(
                run_id,
                metrics=[Metric(name, value, now, 0) for name, value in (metrics or {}).items()],
                params=[
                    Param(name, value[:_LONGEST_PARAM]) for name, value in (params or {}).items()
                ],
                tags=_tags(tags or {}),
            )
        return now

    def log_files(self, run_id: str, folder: Path, at: str) -> None:
        """Log every file of a folder to a run, below the path `at`."""
        with self.asked() as client:
            client.log_artifacts(run_id, str(folder), artifact_path=at)

    def log_json(self, run_id: str, value: Mapping[str, Any], at: str) -> None:
        """Keep plain data of a run as a file below it, such as `CONFIGURATION`."""
        with self.asked() as client:
            client.log_dict(run_id, dict(value), at)

    def log_origin(self, run_id: str, events: Sequence[StartEvent], commit: Commit | None) -> None:
        """Keep what started a training run, and the commit of the team files that it goes by."""
        self.log(run_id, tags=origin_tags(events, commit))

    def write_section(self, run_id: str, heading: str, text: str) -> None:
        """Put a section into a run's description, in place of what stood under the same heading.

        Args:
            run_id: MLflow's id of the run.
            heading: What the section is about, on one line.
            text: Markdown.

        Raises:
            TrackingError: The MLflow server does not answer.
        """
        with self.asked() as client:
            before = client.get_run(run_id).data.tags.get(MLFLOW_RUN_NOTE, "")
            after = with_section(before, heading, text)
            client.set_tag(run_id, MLFLOW_RUN_NOTE, after[:_LONGEST_DESCRIPTION])

    def is_active(self, run_id: str) -> bool:
        """Whether there is a run of this id, and it was not deleted."""
        with self.asked() as client:
            try:
                found = client.get_run(run_id)
            except MlflowException as error:
                if error.error_code != "RESOURCE_DOES_NOT_EXIST":
                    raise
                return False
        return bool(found.info.lifecycle_stage == LifecycleStage.ACTIVE)

    def finish(self, run_id: str, status: Status = "FINISHED") -> None:
        """End a run."""
        with self.asked() as client:
            client.set_terminated(run_id, status=status)


def with_section(description: str, heading: str, text: str) -> str:
    """A description with this section, at the place of the earlier one of that heading or at the end."""
    first, *sections = _HEADING.split(description)
    named = {section.partition("\n")[0].strip(): section.strip() for section in sections}
    named[heading] = f"{heading}\n\n{text.strip()}"
    paragraphs = [first.strip(), *(f"## {section}" for section in named.values())]
    return "\n\n".join(text for text in paragraphs if text) + "\n"


def _tags(tags: Mapping[str, str]) -> list[RunTag]:
    return [RunTag(name, value) for name, value in tags.items()]


def _quoted(value: str) -> str:
    if "'" in value:
        return f'"{value}"'
    return f"'{value}'"


def _dataset_input(snapshot: "Snapshot") -> DatasetInput:
    columns = [{"name": name, "type": kind} for name, kind in snapshot.columns.items()]
    dataset = Dataset(
        name=snapshot.dataset,
        # At most 36 characters.
        digest=f"{snapshot.content_hash[:12]}-v{snapshot.version}",
        source_type="delta",
        source=f"{snapshot.uri}@{snapshot.version}",
        schema=json.dumps({"mlflow_colspec": columns}),
        profile=json.dumps({"num_rows": snapshot.rows, "published_at": snapshot.published_at}),
    )
    tags = {
        "mlflow.data.context": "training",
        "version": str(snapshot.version),
    }
    return DatasetInput(dataset, [InputTag(key, value) for key, value in tags.items()])
