"""What the tasks of a dataset's DAG do, one after the other, without Airflow."""

from pathlib import Path

from factory.catalog import read_all
from factory.data.checks.run import check
from factory.data.folders import DataFolders
from factory.data.publish import PublishedRows, publish
from factory.data.sources.source import IngestContext
from factory.data.transforms.run import transform
from factory.lake.table import Lake


def produce(project: Path, dataset: str, lake: Lake, workspace: Path) -> PublishedRows:
    """Ingest, transform, check and publish a dataset of a project.

    Args:
        project: The folder with `configs/` and `data/`.
        dataset: Its full name.
        lake: Where to; the newest version of each dataset that it reads is read.
        workspace: An empty folder.
    """
    team, _, name = dataset.partition(".")
    read = read_all(project / "configs", "dev")
    assert not read.problems, "\n".join(map(str, read.problems))
    section = read.teams[team].team.datasets[name]
    source = section.source.with_full_names(team)
    versions = {one: lake.newest(one).version for one in source.references().values()}
    promised = section.columns if section.columns and not section.transforms else {}
    context = IngestContext(
        DataFolders(project), workspace, team, lake, versions=versions, columns=promised
    )
    rows = source.ingest(context)
    rows = transform(
        section.transforms, rows, workspace=workspace, lake=lake, versions=versions, team=team
    )
    report = check(
        section.checks,
        rows,
        columns=section.columns,
        write=section.write,
        lake=lake,
        dataset=dataset,
    )
    return publish(dataset, rows, section.write, lake=lake, run_id="run", report=report)
