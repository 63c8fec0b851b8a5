"""The state of an Airflow that runs, as far as its API tells it.

It tells the words of a DAG, its tags, what starts it, and its `default_args`: retries, owner, and what all tasks share,
such as the whole section of a model. It does not tell the arguments of single tasks: of a dataset neither source nor
transforms, but for what stands in its description.
"""

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any

from pydantic import TypeAdapter, ValidationError

from factory.base.errors import FactoryError
from factory.changes.plan import State, changed_keys
from factory.data.dataset import Dataset
from factory.documents.dag import SHARED, Document
from factory.documents.training import training_id
from factory.training.model import Model

_OF_MACHINE = ("storage", "workspace", "storage_connection", "data_folders", "internal_hosts")
"""What tasks share that belongs to the machines, and differs from one to the next."""
_CRON = {
    "None": None,
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
_OBJECT = object()
"""Stands for what Airflow does not tell as it is written."""
Told = Mapping[str, Any]


class LiveError(FactoryError):
    """What Airflow tells cannot be compared."""


@dataclass(frozen=True)
class LiveState(State):
    """What runs, put together from what is told of it and, for what is not told, from the files as they are."""

    told: Mapping[str, Told]
    """By the id of each DAG of Airflow's, its details."""
    refused: str
    """What Airflow says of files that it could not import."""
    now: State

    @classmethod
    def against(cls, now: State, told: Mapping[str, Told], refused: str) -> "LiveState":
        """The live state, to be compared with the files as they are."""
        known = tuple(one for one in now.read.problems if one.message in refused)
        read = replace(now.read, problems=known)
        return cls(read, now.installation, told, refused, now)

    @cached_property
    def documents(self) -> Mapping[str, Document]:
        """See `State.documents`: what is not told is as in the files."""
        found: dict[str, Document] = {}
        for dag_id, details in self.told.items():
            written = self.now.documents.get(dag_id)
            if written is not None:
                found[dag_id] = self._as_told(dag_id, written, details)
            elif SHARED in (details.get("default_args") or {}):
                found[dag_id] = {**_words(details), "default_args": details["default_args"]}
        return found

    def section(self, dag_id: str) -> Dataset | Model | None:
        """See `State.section`; of a training, the section that Airflow has.

        Raises:
            LiveError: It was written by a version of the factory that this one cannot read.
        """
        team, _, rest = dag_id.partition(".")
        details = self.told.get(dag_id)
        shared = (details or {}).get("default_args", {}).get(SHARED, {})
        if dag_id != training_id(team, rest.partition(".")[0]) or "section" not in shared:
            return super().section(dag_id)
        try:
            return Model.model_validate(shared["section"])
        except ValidationError as error:
            raise LiveError(
                f"the section of {dag_id} that runs cannot be read by this version of the factory "
                f"({error.error_count()} problems): compare with the commit that runs, `--against REV`"
            ) from None

    def keys_against(self, now: State, dag_id: str) -> tuple[str, ...]:
        """See `State.keys_against`: what is told otherwise."""
        written = now.documents.get(dag_id)
        details = self.told.get(dag_id)
        if written is None or details is None:
            return ()
        was, is_now = _of_details(details), _of_document(written)
        return tuple(dict.fromkeys(_differing(was, is_now)))

    def _as_told(self, dag_id: str, written: Document, details: Told) -> Document:
        was, is_now = _of_details(details), _of_document(written)
        differing = list(_differing(was, is_now))
        if not differing:
            return written
        self.section(dag_id)  # so that what cannot be read is said
        arguments = dict(written["default_args"])
        for key in dict.fromkeys([*was["default_args"], *is_now["default_args"]]):
            if was["default_args"].get(key) != is_now["default_args"].get(key):
                arguments[key] = was["default_args"].get(key)
        shared = written["default_args"].get(SHARED, {})
        if was[SHARED] != is_now[SHARED]:
            of_machine = {key: shared[key] for key in _OF_MACHINE if key in shared}
            arguments[SHARED] = {**of_machine, **was[SHARED]}
        words = {
            key: was[key] for key in ("description", "doc_md", "tags") if was[key] != is_now[key]
        }
        found = {**written, **words, "default_args": arguments}
        if was["starts"] != is_now["starts"]:
            found["schedule"] = was["starts"]
        if "dataset" in shared and _facts(was["doc_md"]) != _facts(is_now["doc_md"]):
            found[
                "tasks"
            ] = {}  # its source or its checks are others, and only their names are told
        return found


def _words(details: Told) -> Document:
    tags = sorted(one["name"] for one in details.get("tags") or ())
    return {
        "description": details.get("description"),
        "doc_md": details.get("doc_md"),
        "tags": tags,
    }


def _differing(was: Told, is_now: Told) -> Iterator[str]:
    for key in ("description", "tags", "starts"):
        if was[key] != is_now[key]:
            yield "schedule" if key == "starts" else key
    yield from changed_keys(was["default_args"], is_now["default_args"])
    was_section, section = (one[SHARED].get("section") or {} for one in (was, is_now))
    yield from changed_keys(was_section, section)
    others = ({k: v for k, v in one[SHARED].items() if k != "section"} for one in (was, is_now))
    yield from changed_keys(*others)
    if _facts(was["doc_md"]) != _facts(is_now["doc_md"]):
        yield "doc_md"


def _facts(words: str | None) -> list[str]:
    """The lines of a DAG's description that are made of its section, such as the checks."""
    return [line for line in (words or "").splitlines() if line.startswith("* ")]


def _of_details(details: Told) -> dict[str, Any]:
    arguments = dict(details.get("default_args") or {})
    shared = arguments.pop(SHARED, {})
    assets = sorted(_names(details.get("asset_expression")))
    times = str(details.get("timetable_summary"))
    starts: Any = assets or _CRON.get(times, times)
    return {**_words(details), "starts": starts, **_parted(arguments, shared)}


def _of_document(document: Document) -> dict[str, Any]:
    arguments = dict(document.get("default_args", {}))
    shared = arguments.pop(SHARED, {})
    schedule = document.get("schedule")
    starts: Any = sorted(_names(schedule))
    if not starts:
        starts = _CRON.get(schedule, schedule) if isinstance(schedule, str) else None
    return {
        "description": document.get("description"),
        "doc_md": inspect.cleandoc(document.get("doc_md") or "") or None,
        "tags": sorted(document.get("tags", ())),
        "starts": starts,
        **_parted({key: _as_json(value) for key, value in arguments.items()}, shared),
    }


def _parted(arguments: dict[str, Any], shared: Mapping[str, Any]) -> dict[str, Any]:
    told = {key: value for key, value in arguments.items() if value is not _OBJECT}
    return {
        "default_args": told,
        SHARED: {key: value for key, value in shared.items() if key not in _OF_MACHINE},
    }


def _as_json(value: Any) -> Any:
    """A value of `default_args` as Airflow's API writes it."""
    if not isinstance(value, dict) or "__type__" not in value:
        return value
    if value["__type__"] != "datetime.timedelta":
        return _OBJECT
    period = timedelta(**{key: one for key, one in value.items() if key != "__type__"})
    return TypeAdapter(timedelta).dump_python(period, mode="json")


def _names(schedule: Any) -> Iterator[str]:
    """The names of the assets in a schedule, as documents or Airflow's API write it."""
    if isinstance(schedule, Mapping):
        if "uri" in schedule and "name" in schedule:
            yield schedule["name"]
        for value in schedule.values():
            yield from _names(value)
    elif isinstance(schedule, (list, tuple)):
        for value in schedule:
            yield from _names(value)
