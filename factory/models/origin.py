"""What a training run came from: the events that started it, and the commit of the team files."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime

from pydantic import TypeAdapter, ValidationError

from factory.base.git import Commit
from factory.base.values import Result

_EVENTS = "started_by"
# MLflow's own word, which its pages show as the run's source version.
_COMMIT = "mlflow.source.git.commit"
_IS_CHANGED = "git_changed"
_LONGEST = 7_500
"""Characters: MLflow's limit for a tag is 8,000."""


class StartEvent(Result):
    """One event of an asset that a run was started by, or the person who started it."""

    at: datetime
    says: str
    """In a person's words: the snapshot and its rows, or what has drifted."""
    asset: str = ""
    """The dataset or the model; empty where a person started the run."""
    dag_id: str = ""
    """The DAG whose run emitted it; empty where a person did."""
    run_id: str = ""
    """That run."""


_events = TypeAdapter(tuple[StartEvent, ...])


def origin_tags(events: Sequence[StartEvent], commit: Commit | None) -> dict[str, str]:
    """The tags of an MLflow run that keep its origin; of many events the last ones."""
    kept = list(events)
    while len(text := _events.dump_json(tuple(kept)).decode()) > _LONGEST:
        kept = kept[len(kept) // 2 + 1 :]
    tags = {_EVENTS: text}
    if commit is not None:
        tags |= {_COMMIT: commit.sha, _IS_CHANGED: json.dumps(commit.is_changed)}
    return tags


def events_in(tags: Mapping[str, str]) -> tuple[StartEvent, ...]:
    """The events in the tags of an MLflow run; none for runs from before they were kept."""
    try:
        return _events.validate_json(tags.get(_EVENTS, "[]"))
    except ValidationError:
        return ()


def commit_in(tags: Mapping[str, str]) -> Commit | None:
    """The commit in the tags of an MLflow run; None where nobody knew it."""
    sha = tags.get(_COMMIT)
    return Commit(sha=sha, is_changed=tags.get(_IS_CHANGED) == "true") if sha else None
