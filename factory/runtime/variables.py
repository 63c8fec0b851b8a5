"""The environment variables of supervised processes: every setting of the embedded Airflow and MLflow."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

from factory.runtime.home import Home, Secrets
from factory.runtime.ports import HOST, Ports
from factory.team.environment import ARTIFACTS

MARKER = "FACTORY_RUNTIME"
"""Names the runtime that a process belongs to; see `factory.runtime.processes`."""


def variables(
    *,
    home: Home,
    project: Path,
    ports: Ports,
    secrets: Secrets,
    inherited: Mapping[str, str],
    extra: Mapping[str, str],
    serving: str | None = None,
) -> dict[str, str]:
    """What the components see.

    From weak to strong: our preferences, the caller's own environment, what must hold for the
    runtime to work at all, and `extra`. `AIRFLOW__CORE__PARALLELISM=8 factory up` therefore works,
    and an AIRFLOW_HOME of another installation does no harm. `serving` is where the server of models
    answers, if there is one.
    """
    return {
        **_preferences(os.cpu_count() or 2),
        **_data(home, project),
        **inherited,
        **_airflow(home, project, ports, secrets),
        **_mlflow(home, ports),
        **_artifacts(home, {**inherited, **extra}),
        **_process(inherited),
        "FACTORY_CONFIGS": str(project / "configs"),
        "FACTORY_PROJECT": str(project),
        # Airflow needs no log-in here: no name but this machine's own may lead to it.
        "FACTORY_TRUSTED_HOSTS": f"{HOST},localhost,[::1]",
        **({"FACTORY_SERVING_URL": serving} if serving else {}),
        **extra,
        MARKER: "",  # each component gets its own
    }


def _preferences(cores: int) -> dict[str, str]:
    return {
        # A task is one process: as many as the machine can run, and a few that merely wait.
        "AIRFLOW__CORE__PARALLELISM": str(max(4, cores)),
        "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(max(4, cores)),
        # One thread each, so that as many trials as there are cores do not fight for them.
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1",
        # A changed team file is parsed at once (see factory/airflow/dag_processor.py). What nobody has changed
        # is parsed again only so that DAGs that are gone are noticed.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "60",
        "AIRFLOW__DAG_PROCESSOR__REFRESH_INTERVAL": "10",
        "AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.3",
        # Tasks wait for a server that is started again, and do not wait longer than they must.
        "AIRFLOW__WORKERS__EXECUTION_API_RETRIES": "30",
        "AIRFLOW__WORKERS__EXECUTION_API_RETRY_WAIT_MAX": "5",
        "AIRFLOW__WORKERS__MAX_FAILED_HEARTBEATS": "30",
        "AIRFLOW__LOGGING__COLORED_CONSOLE_LOG": "false",
        "AIRFLOW__OPENLINEAGE__NAMESPACE": "factory",
        # Else each task forks twice to tell its events, and a child that is stuck can keep a task from ending.
        "AIRFLOW__OPENLINEAGE__EXECUTE_IN_THREAD": "true",
    }


def _data(home: Home, project: Path) -> dict[str, str]:
    """The lake and the workspace go with a home of its own; else `_defaults.yaml` says where."""
    if home == Home.of(project):
        return {}
    return {
        "FACTORY_STORAGE": (home.folder / "lake").as_uri(),
        "FACTORY_WORKSPACE": str(home.folder / "workspace"),
    }


def _airflow(home: Home, project: Path, ports: Ports, secrets: Secrets) -> dict[str, str]:
    lineage = {"type": "file", "log_file_path": str(home.lineage), "append": True}
    return {
        "AIRFLOW_HOME": str(home.airflow),
        "AIRFLOW__CORE__DAGS_FOLDER": str(project / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        "AIRFLOW__CORE__EXECUTOR": "factory.airflow.executor.WatchedLocalExecutor",
        "AIRFLOW__CORE__FERNET_KEY": secrets.fernet_key,
        "AIRFLOW__CORE__AUTH_MANAGER": (
            "airflow.api_fastapi.auth.managers.simple.simple_auth_manager.SimpleAuthManager"
        ),
        # No log-in: the servers listen on the loopback interface alone.
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "true",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{ports.airflow_url}/execution/",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home.airflow_database}",
        **dict.fromkeys(
            (
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS",
                "AIRFLOW__DATABASE__SQL_ALCHEMY_CONNECT_ARGS_ASYNC",
            ),
            "factory.runtime.home.DATABASE_PATIENCE",
        ),
        "AIRFLOW__API__HOST": HOST,
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": ports.airflow_url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__API__SECRET_KEY": secrets.api_secret_key,
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.jwt_secret,
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home.airflow / "logs"),
        "AIRFLOW__LOGGING__SECRET_MASK_ADAPTER": "factory.base.secrets.spellings",
        "AIRFLOW__OPENLINEAGE__TRANSPORT": json.dumps(lineage),
        "AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY": "false",
    }


def _mlflow(home: Home, ports: Ports) -> dict[str, str]:
    return {
        "MLFLOW_TRACKING_URI": ports.mlflow_url,
        "MLFLOW_REGISTRY_URI": ports.mlflow_url,
        "MLFLOW_BACKEND_STORE_URI": f"sqlite:///{home.mlflow_database}",
        # 74 seconds, as long as MLflow takes to start again on a busy machine; ten would be refused.
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "9",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "DO_NOT_TRACK": "true",
        # Seven consumers of a queue that nothing here fills.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def _artifacts(home: Home, given: Mapping[str, str]) -> dict[str, str]:
    """Where MLflow's server keeps artifacts, and where it finds S3; the AWS_* variables are inherited."""
    where = {"MLFLOW_ARTIFACTS_DESTINATION": given.get(ARTIFACTS) or str(home.artifacts)}
    endpoint = given.get("AWS_ENDPOINT_URL_S3") or given.get("AWS_ENDPOINT_URL")
    if endpoint and "MLFLOW_S3_ENDPOINT_URL" not in given:
        where["MLFLOW_S3_ENDPOINT_URL"] = endpoint
    return where


def _process(inherited: Mapping[str, str]) -> dict[str, str]:
    scripts = str(Path(sys.executable).parent)
    return {
        "PATH": os.pathsep.join([scripts, inherited.get("PATH", os.defpath)]),
        "PYTHONUNBUFFERED": "1",
        # A proxy cannot reach this machine's loopback interface.
        **dict.fromkeys(("NO_PROXY", "no_proxy"), _no_proxy(inherited)),
        # Airflow renames its processes; without this it would overwrite the marker in /proc.
        "SPT_NOENV": "1",
        # Arrow and Delta bring allocators with a thread of their own; without it the scheduler
        # stays single-threaded and may fork (see `factory.runtime.scheduler`).
        "JE_ARROW_MALLOC_CONF": "background_thread:false",
        "_RJEM_MALLOC_CONF": "background_thread:false",
    }


def _no_proxy(inherited: Mapping[str, str]) -> str:
    known = inherited.get("no_proxy") or inherited.get("NO_PROXY") or ""
    return ",".join(dict.fromkeys([*filter(None, known.split(",")), HOST, "localhost"]))
