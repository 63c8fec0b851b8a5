"""Deployments reach clusters and AWS through Airflow's connections."""

import json
from pathlib import Path

import pytest

from factory.airflow.deploy_access import deploy_context
from factory.base.errors import TerminalError
from tests.deploy.kubernetes_api import NAMESPACE, running_cluster
from tests.deploy.placed import NOWHERE, Placed, target_of


def section(**changes):
    image = {"repository": "registry.example.org/pets/detector"}
    return target_of({"type": "kubernetes", "image": image, "namespace": NAMESPACE, **changes})


def in_airflow(target):
    return Placed(target, deploy_context(NOWHERE, Path(), ()))


def kubeconfig(address):
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": address}}],
        "users": [{"name": "u", "user": {"token": "planted-token"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }


@pytest.fixture
def connected(monkeypatch):
    def add(name, kind, extra):
        text = json.dumps({"conn_type": kind, "extra": extra})
        monkeypatch.setenv(f"AIRFLOW_CONN_{name.upper()}", text)

    return add


def test_a_cluster_is_reached_through_a_connection(connected):
    with running_cluster() as cluster:
        cluster.token = "planted-token"
        connected("models", "kubernetes", {"kube_config": json.dumps(kubeconfig(cluster.address))})
        target = in_airflow(section(connection="models"))
        assert target.running("pets.detector") is None
    assert cluster.requests


def test_a_cluster_is_reached_through_the_kubeconfig(monkeypatch, tmp_path):
    with running_cluster() as cluster:
        file = tmp_path / "config"
        file.write_text(json.dumps(kubeconfig(cluster.address)))
        monkeypatch.setattr("kubernetes.config.kube_config.KUBE_CONFIG_DEFAULT_LOCATION", str(file))
        target = in_airflow(section())
        assert target.running("pets.detector") is None


def test_a_connection_of_another_type_is_refused(connected):
    connected("models", "http", {})
    target = in_airflow(section(connection="models"))
    with pytest.raises(TerminalError, match="is of type 'http': this needs one of type"):
        target.running("pets.detector")


def test_a_cluster_of_amazons_is_logged_in_to_by_the_provider(s3, connected):
    import boto3

    eks = boto3.client("eks", region_name="eu-central-1")
    made = eks.create_cluster(
        name="models",
        roleArn="arn:aws:iam::123456789012:role/eks",
        resourcesVpcConfig={"subnetIds": []},
    )["cluster"]
    variables = s3.variables()
    connected(
        "aws_models",
        "aws",
        {
            "region_name": "eu-central-1",
            "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
            "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
            "endpoint_url": s3.endpoint,
        },
    )
    named = section(eks={"cluster": "models", "connection": "aws_models", "region": "eu-central-1"})
    with in_airflow(named).context.cluster(named.cluster_access) as api:
        assert api.configuration.host == made["endpoint"].rstrip("/")
        # The provider's program has asked for it, in a process of its own.
        assert "k8s-aws-v1." in str(api.configuration.auth_settings())


def test_a_cluster_that_amazon_does_not_know_is_terminal(s3):
    named = section(eks={"cluster": "none", "region": "eu-central-1"})
    with (
        pytest.raises(Exception, match="none"),
        in_airflow(named).context.cluster(named.cluster_access),
    ):
        pass
