"""`datasets`: what a team publishes."""

from typing import Literal

from pydantic import Field
from pydantic_core import PydanticCustomError

from factory.base.rules import Broken, rule
from factory.base.section import ListOf, Name, Reference, Section, Text
from factory.base.texts import did_you_mean, one_of
from factory.data.checks.check import AnyCheck
from factory.data.incremental import Incremental
from factory.data.load import Load
from factory.data.sources.source import AnySource
from factory.data.transforms.transform import AnyTransform
from factory.lake.verification import Verify
from factory.lake.write import Write
from factory.team.after_tasks import OF_DATASETS, AfterTasks, check_names
from factory.team.notify import DatasetNotify
from factory.team.resources import Resources, check_resources
from factory.team.schedule import Schedule, ScheduleField


class Dataset(Section):
    """One versioned table that the team publishes; one producer DAG `<team>.<dataset>`."""

    description: str = ""
    """What it is, for people: shown as the description of its DAG in Airflow."""
    schedule: ScheduleField | None = Field(
        default=None,
        examples=["@daily", "30 2 * * 1-5", "catches", {"all": ["catches", "marine.penguins"]}],
    )
    """When it is made anew. When left out: whenever what it reads has changed; by hand only if it reads no dataset."""
    source: AnySource
    """Where its rows come from."""
    reads: ListOf[Reference] = ()
    """Further datasets that SQL transforms read, as tables `team.dataset`."""
    transforms: ListOf[AnyTransform] = ()
    """What is done to the rows before they are checked, in this order."""
    columns: dict[str, Text] | None = Field(
        default=None,
        min_length=1,
        examples=[{"port": "VARCHAR", "weight_kg": "DOUBLE", "landed_at": "TIMESTAMP"}],
    )
    """The promised schema, column to DuckDB type; checked before publishing."""
    checks: ListOf[AnyCheck] = ()
    """What must be true of the rows before they are published."""
    write: Write = Write.unwritten()
    """How new rows meet the published ones; they replace them when left out."""
    incremental: Incremental | None = None
    """Whether a run reads only what no snapshot has yet; everything when left out."""
    verify: Verify = "sample"
    """How the files of the snapshots that it reads are looked at: the sizes of all and the content of a few,
    the content of all (`full`), or not at all (`"off"`, in quotation marks)."""
    share_with: ListOf[Name] | Literal["*"] = ()
    """Teams that may read it; `"*"` is every team."""
    load: Load | None = None
    """A table of a database that the rows go through before they are checked."""
    resources: Resources = Field(default_factory=dict)
    """What is created for a run and destroyed with it."""
    notify: DatasetNotify | None = None
    """Whom to tell what becomes of it."""
    after: AfterTasks
    """Tasks of your own, as in `dags`, that run once a snapshot has been published."""

    @rule
    def _resources_of_tasks(self) -> Broken:
        yield from check_resources(self.resources, self.tasks_with_rows)

    @rule
    def _names_of_after(self) -> Broken:
        yield from check_names(self.after, OF_DATASETS)

    @rule
    def _only_new_rows(self) -> Broken:
        section = self.incremental
        if section is None:
            return
        if self.write.mode == "replace":
            yield _incremental(
                "new rows alone would replace all that is published",
                "write `write: {mode: append}`, or `mode: merge` with `keys`",
                "incremental",
            )
        if section.by == "file" and not self.source.has_files:
            yield _incremental(
                f"`by: file` is for sources whose files can be told apart, and `{self.source.type}` is none",
                "write `by: column` with a column that rises with each new row, or take `incremental` away",
                "incremental",
                "by",
            )
        known = self.known_columns
        if section.column is not None and known is not None and section.column not in known:
            yield _incremental(
                f"the dataset has no column {section.column!r}: it has {one_of(known, 10)}",
                did_you_mean(section.column, known, "name a column that is published"),
                "incremental",
                "column",
            )

    @property
    def tasks_with_rows(self) -> tuple[str, ...]:
        """The tasks of its DAG that handle rows, in their order."""
        transform = ("transform",) if self.transforms else ()
        load = ("load",) if self.load else ()
        after = ("after_check",) if self.load and self.load.then else ()
        return ("ingest", *transform, *load, "check", *after, "publish")

    @property
    def known_columns(self) -> tuple[str, ...] | None:
        """Its columns, where they are declared or the source tells them; None where only a run does."""
        if self.columns is not None:
            return tuple(self.columns)
        columns = self.source.known_columns()
        for step in self.transforms:
            columns = step.known_columns(columns)
        return columns

    @property
    def inputs(self) -> tuple[str, ...]:
        """The datasets that it reads, as written: its source first, without repetition."""
        checked = (name for check in self.checks for name in check.references().values())
        return tuple(dict.fromkeys((*self._inputs_of_rows, *checked)))

    @property
    def _inputs_of_rows(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.source.references().values(), *self.reads)))

    @property
    def when(self) -> Schedule:
        """Its schedule; without one, a dataset runs when what its rows come from changes, else by hand."""
        if self.schedule is not None:
            return self.schedule
        return Schedule(all=self._inputs_of_rows)


def _incremental(found: str, advice: str | None, *at: str) -> PydanticCustomError:
    context = {"found": found, "advice": advice, "at": at}
    return PydanticCustomError("incremental", "{found}", context)
