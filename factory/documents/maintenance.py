"""The platform's own document: taking away what killed runs have left over."""

from datetime import date, timedelta

from factory.documents.dag import Dag, Task
from factory.documents.installation import Installation
from factory.team.maintenance import Maintenance

MAINTENANCE = "maintenance"
"""The DAG's id. Those of teams have a dot, so it is nobody's."""

_DOC = """\
### Maintenance

Takes away what killed runs have left over, and tells how much in each task's log and result:

* `workspaces`: workspaces and temporary folders on the worker that it runs on
* `lake`: files that no snapshot names
* `mlflow`: runs of trainings that ended without a word are set to KILLED
* `logs`: tasks' logs on the worker that it runs on

What is younger than `grace`, or belongs to a run that is waiting or at work, stays.
"""


def maintenance_document(section: Maintenance, installation: Installation) -> Dag:
    """The DAG `maintenance`, whose tasks do not wait for each other."""
    grace = {"grace": section.grace}
    return Dag(
        description="Takes away what killed runs have left over.",
        doc=_DOC,
        schedule=section.schedule.cron,
        timezone=section.schedule.timezone or "UTC",
        start_date=date(2024, 1, 1),
        tags=("maintenance",),
        default_args={"owner": "platform", "retries": 1, "retry_delay": timedelta(minutes=5)},
        shared=installation.shared(),
        on_failure=(),
        params={},
        tasks=(
            Task("workspaces", "maintenance.workspaces", arguments=grace),
            Task("lake", "maintenance.lake", arguments=grace),
            Task("mlflow", "maintenance.mlflow", arguments=grace),
            Task("logs", "maintenance.logs", arguments={"keep": section.keep_logs}),
        ),
    )
