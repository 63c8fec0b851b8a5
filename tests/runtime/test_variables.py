"""What the components are told."""

from pathlib import Path

from factory.runtime.home import Home, Secrets
from factory.runtime.ports import Ports
from factory.runtime.variables import MARKER, variables


def _variables(project: Path, home: Path | None = None, **inherited: str) -> dict[str, str]:
    return variables(
        home=Home(home or project / ".factory"),
        project=project,
        ports=Ports(1, 2),
        secrets=Secrets("fernet", "jwt", "api"),
        inherited=inherited,
        extra={"FACTORY_ENVIRONMENT": "prod"},
    )


def test_the_callers_preference_wins_over_ours(tmp_path: Path) -> None:
    key = "AIRFLOW__CORE__PARALLELISM"
    assert _variables(tmp_path, **{key: "17"})[key] == "17"


def test_what_the_runtime_needs_wins_over_the_callers_variables(tmp_path: Path) -> None:
    found = _variables(tmp_path, AIRFLOW_HOME="/elsewhere", MLFLOW_TRACKING_URI="http://far")
    assert found["AIRFLOW_HOME"] == str(tmp_path / ".factory/airflow")
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:2"
    assert found["AIRFLOW__CORE__EXECUTION_API_SERVER_URL"] == "http://127.0.0.1:1/execution/"
    assert found["FACTORY_ENVIRONMENT"] == "prod"
    assert found[MARKER] == ""


def test_artifacts_lie_below_the_home_unless_they_are_in_s3(tmp_path: Path) -> None:
    found = _variables(tmp_path)
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == str(tmp_path / ".factory/mlflow/artifacts")
    found = _variables(tmp_path, FACTORY_ARTIFACTS="s3://lake/artifacts")
    assert found["MLFLOW_ARTIFACTS_DESTINATION"] == "s3://lake/artifacts"


def test_what_leads_to_s3_reaches_all_components_and_mlflow(tmp_path: Path) -> None:
    aws = {
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_PROFILE": "profile",
    }
    found = _variables(tmp_path, **aws)
    assert {name: found[name] for name in aws} == aws
    assert found["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:9"
    own = _variables(tmp_path, MLFLOW_S3_ENDPOINT_URL="http://127.0.0.1:8", **aws)
    assert own["MLFLOW_S3_ENDPOINT_URL"] == "http://127.0.0.1:8"


def test_telemetry_is_off(tmp_path: Path) -> None:
    found = _variables(tmp_path, MLFLOW_DISABLE_TELEMETRY="false")
    assert found["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] == "false"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"


def test_loopback_addresses_never_go_through_a_proxy(tmp_path: Path) -> None:
    found = _variables(tmp_path, http_proxy="http://proxy", no_proxy="internal.example")
    assert found["no_proxy"] == found["NO_PROXY"] == "internal.example,127.0.0.1,localhost"


def test_a_home_of_its_own_has_a_lake_of_its_own(tmp_path: Path) -> None:
    assert "FACTORY_STORAGE" not in _variables(tmp_path)
    found = _variables(tmp_path, tmp_path / "other")
    assert found["FACTORY_STORAGE"] == (tmp_path / "other/lake").as_uri()
    assert found["FACTORY_WORKSPACE"] == str(tmp_path / "other/workspace")
