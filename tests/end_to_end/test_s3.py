"""A lake and artifacts in S3 on a real Airflow, by a connection whose secrets appear nowhere.

S3 is a moto server; its bucket does not exist before the first run makes it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from factory.lake.table import Lake
from tests.harness.airflow import Installation, running
from tests.harness.project import flowers, make_project
from tests.harness.s3 import ACCESS_KEY, REGION, SECRET_KEY, S3Server, running_s3

BUCKET = "far-away"
KEY_OF_CONNECTION = "AKIACONNECTIONKEY001"
SECRET_OF_CONNECTION = "connectionplantedsecret0123456789abcdefgh"
ROLE = "arn:aws:iam::123456789012:role/lake"

DEFAULTS = f"""\
version: 1
storage: s3://{BUCKET}/lake
storage_connection: aws_lake
create_bucket: true
python_packages: [sklearn]
"""

TEAM = """\
version: 1
team: lab
owner: lab@example.org
defaults: {retries: 0}
datasets:
  weeds: {source: {type: csv, path: data/weeds.csv}}
models:
  species:
    task: classification
    train_on: weeds
    schedule: none
    target: species
    search:
      strategy: list
      trials: [{estimator: sklearn.tree.DecisionTreeClassifier, params: {max_depth: 2}}]
    objective: {metric: accuracy}
"""


@dataclass
class Site:
    """The running project and its S3."""

    shop: Installation
    s3: S3Server


def _connection(s3: S3Server) -> str:
    """A connection whose own key may do nothing but assume a role."""
    endpoint = {"endpoint_url": s3.endpoint}
    extra = {"region_name": REGION, "role_arn": ROLE, "service_config": {"sts": endpoint}}
    return json.dumps(
        {
            "conn_type": "aws",
            "login": KEY_OF_CONNECTION,
            "password": SECRET_OF_CONNECTION,
            "extra": {**extra, **endpoint},
        }
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = {
        "configs/_defaults.yaml": DEFAULTS,
        "configs/lab.yaml": TEAM,
        "data/weeds.csv": flowers().to_csv(index=False),
    }
    with running_s3() as s3:
        s3.reset()
        s3.make_bucket("artifacts")
        environment = {
            **s3.variables(),  # MLflow's server knows these; tasks the connection
            "AIRFLOW_CONN_AWS_LAKE": _connection(s3),
            "FACTORY_ARTIFACTS": "s3://artifacts/mlflow",
        }
        project = make_project(tmp_path_factory.mktemp("far"), files)
        with running(project, environment) as shop:
            shop.wake(["lab"])
            yield Site(shop, s3)


@pytest.fixture(scope="module")
def trained(site: Site) -> dict[str, dict[str, str | None]]:
    """The tasks' states of a run of each DAG."""
    return {
        dag_id: site.shop.states(site.shop.run(dag_id))
        for dag_id in ("lab.weeds", "lab.species.train")
    }


def test_first_run_makes_the_bucket_and_publishes_into_it(site, trained, monkeypatch):
    assert trained["lab.weeds"]["make_bucket"] == "success"
    assert trained["lab.weeds"]["publish"] == "success"
    for name, value in site.s3.variables().items():
        monkeypatch.setenv(name, value)
    assert Lake(f"s3://{BUCKET}/lake").newest("lab.weeds").rows == 150


def test_training_reads_the_lake_and_its_artifacts_lie_in_s3(site, trained):
    assert trained["lab.species.train"]["register"] == "success"
    keys = site.s3.keys(bucket="artifacts")
    assert [key for key in keys if key.endswith("/MLmodel")]
    assert all(key.startswith("mlflow/") for key in keys)
    assert list((site.shop.runtime.home.artifacts).iterdir()) == []


def test_secrets_of_the_connection_and_its_role_are_nowhere(site, trained):
    """Not in a log, nor in Airflow's database with its XCom, rendered fields and documents."""
    home = site.shop.runtime.home.folder
    files = [path for path in home.rglob("*") if path.is_file()]
    assert len(files) > 20
    for path in files:
        content = path.read_bytes()
        for secret in (SECRET_OF_CONNECTION, SECRET_KEY):
            assert secret.encode() not in content, path


def test_wrong_credentials_fail_at_once_name_the_bucket_and_show_no_key(site, trained):
    site.s3.known_keys = {ACCESS_KEY}
    try:
        run = site.shop.run("lab.weeds")
    finally:
        site.s3.heal()
    assert run.state == "failed"
    states = site.shop.states(run)
    assert states["make_bucket"] == "failed"
    log = site.shop.log_of(run, "make_bucket")
    assert "aws_lake" in log
    assert "AccessDeniedError" in log or "AirflowFailException" in log
    for secret in (SECRET_OF_CONNECTION, KEY_OF_CONNECTION):
        assert secret not in log
