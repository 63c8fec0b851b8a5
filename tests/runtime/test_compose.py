"""docker-compose.yaml and the image, as far as they can be checked without starting them."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
LOOPBACK = "127.0.0.1"
ENDS = {"airflow-init"}
"""Services that do one thing and end: nobody asks for their health."""


def _compose() -> list[str]:
    if tool := shutil.which("docker-compose"):
        return [tool]
    docker = shutil.which("docker")
    if (
        docker
        and not subprocess.run(
            [docker, "compose", "version"], capture_output=True, check=False
        ).returncode
    ):
        return [docker, "compose"]
    pytest.skip("neither docker-compose nor docker compose is installed")


def _config(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*_compose(), "--file", "docker-compose.yaml", "config"],
        cwd=folder,
        # Nothing of this machine's environment may fill a gap.
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )


def _copy_to(folder: Path) -> Path:
    for name in ("docker-compose.yaml", ".env.example"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "docker", folder / "docker")
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return _copy_to(tmp_path)


def _make_env(folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "docker/make_env.py"],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    folder = _copy_to(tmp_path_factory.mktemp("compose"))
    assert _make_env(folder).returncode == 0
    found = _config(folder)
    assert found.returncode == 0, found.stderr
    return yaml.safe_load(found.stdout)["services"]


def test_without_passwords_it_refuses_and_says_how_to_make_them(folder: Path) -> None:
    found = _config(folder)
    assert found.returncode != 0
    assert "run python3 docker/make_env.py first" in found.stderr


def test_no_service_has_more_rights_than_it_needs(services: dict[str, dict[str, Any]]) -> None:
    assert len(services) == 9
    for name, service in services.items():
        assert service["user"].split(":")[0] not in ("0", "root"), name
        assert not service.get("privileged"), name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("network_mode"), name


def test_every_service_that_stays_has_a_health_check_and_is_restarted(
    services: dict[str, dict[str, Any]],
) -> None:
    for name in services.keys() - ENDS:
        assert services[name]["healthcheck"]["test"], name
        assert services[name]["restart"] == "unless-stopped", name


def test_everybody_waits_for_what_it_needs(services: dict[str, dict[str, Any]]) -> None:
    needs = {
        name: {other: how["condition"] for other, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    ready = {
        "airflow-init": "service_completed_successfully",
        "redis": "service_healthy",
        "mlflow": "service_healthy",
    }
    for name in ("api-server", "scheduler", "dag-processor", "triggerer"):
        assert needs[name] == ready, name
    assert needs["worker"] == {**ready, "api-server": "service_healthy"}
    assert needs["mlflow"] == needs["airflow-init"] == {"postgres": "service_healthy"}


def test_servers_are_published_on_the_loopback_interface_only(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published.keys() == {"api-server", "mlflow"}
    for (port,) in published.values():
        host = port.split(":")[0] if isinstance(port, str) else port["host_ip"]
        assert host == LOOPBACK


def test_no_password_is_written_down(folder: Path) -> None:
    values = re.findall(r"(?m)^([A-Z_]+)=(.*)$", (folder / ".env.example").read_text())
    assert len(values) == 8
    assert {value for _, value in values} == {""}
    text = (folder / "docker-compose.yaml").read_text()
    written = {
        (key, value)
        for service in yaml.safe_load(text)["services"].values()
        for key, value in service.get("environment", {}).items()
        # Without a value, a variable is handed on from outside if it is there.
        if re.search(r"PASSWORD|SECRET|FERNET|TOKEN|ACCESS_KEY", key) and value is not None
    }
    assert len(written) == 8
    assert not [key for key, value in written if not re.fullmatch(r"\$\{\w+:\?.*\}", value)]
    assert not re.search(r"://[^/\s:]*:(?!\$\{)[^@/\s]+@", text)
    assert "ALL_ADMINS" not in text.upper()


IN_S3 = {
    "AWS_ACCESS_KEY_ID": "AKIAPLANTEDKEYID0001",
    "AWS_SECRET_ACCESS_KEY": "planted/secret",
    "AWS_REGION": "eu-central-1",
    "AWS_ENDPOINT_URL": "https://minio.example.org",
    "FACTORY_STORAGE": "s3://lake/prod",
    "FACTORY_STORAGE_CONNECTION": "aws_lake",
    "FACTORY_ARTIFACTS": "s3://lake/artifacts",
}


def test_storage_in_s3_reaches_every_service_that_needs_it(folder: Path) -> None:
    assert _make_env(folder).returncode == 0
    with (folder / ".env").open("a") as file:
        file.writelines(f"{name}={value}\n" for name, value in IN_S3.items())
    found = _config(folder)
    assert found.returncode == 0, found.stderr
    services = yaml.safe_load(found.stdout)["services"]
    for name, service in services.items():
        if service["image"] != "ml-dag-factory":
            assert not [key for key in service["environment"] if key.startswith("AWS_")], name
            continue
        for key in (key for key in IN_S3 if key.startswith("AWS_")):
            assert service["environment"][key] == IN_S3[key], name
        if name != "mlflow":
            assert service["environment"]["FACTORY_STORAGE"] == "s3://lake/prod"
            assert service["environment"]["FACTORY_STORAGE_CONNECTION"] == "aws_lake"
    assert "--artifacts-destination=s3://lake/artifacts" in services["mlflow"]["command"]


def test_without_s3_no_variable_of_aws_is_set(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        given = service.get("environment", {}).items()
        assert not [key for key, value in given if key.startswith("AWS_") and value], name
    assert "--artifacts-destination=/data/artifacts" in services["mlflow"]["command"]


def test_the_image_has_what_storage_in_s3_needs() -> None:
    assert "--extra aws" in (ROOT / "Dockerfile").read_text()


def test_telemetry_is_off(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        environment = service.get("environment", {})
        if "AIRFLOW__CORE__EXECUTOR" in environment:
            assert environment["AIRFLOW__DAG_FACTORY__ENABLE_TELEMETRY"] == "false", name
        if service["image"] == "ml-dag-factory":
            assert environment["MLFLOW_DISABLE_TELEMETRY"] == "true", name


def test_values_in_the_configuration_are_what_airflow_reads(
    services: dict[str, dict[str, Any]],
) -> None:
    environment = services["scheduler"]["environment"]
    assert json.loads(environment["AIRFLOW__OPENLINEAGE__TRANSPORT"])["type"] == "file"
    assert "@postgres/airflow" in environment["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"]


def test_made_passwords_are_private_differ_and_stay(folder: Path) -> None:
    assert _make_env(folder).returncode == 0
    file = folder / ".env"
    assert file.stat().st_mode & 0o777 == 0o600
    text = file.read_text()
    values = re.findall(r"(?m)^[A-Z_]+=(.{32,})$", text)
    assert len(set(values)) == 8
    again = _make_env(folder)
    assert again.returncode == 1
    assert "there is a .env already" in again.stderr
    assert file.read_text() == text


def test_the_image_runs_as_an_ordinary_user_and_installs_by_hash() -> None:
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert [line for line in lines if line.startswith("USER ")][-1] == "USER 10001"
    assert any("--require-hashes" in line for line in lines)
    assert (ROOT / ".dockerignore").read_text().split("\n\n")[0].splitlines()[1] == "*"
