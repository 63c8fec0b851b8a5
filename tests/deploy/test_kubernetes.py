"""The target `kubernetes`, through the official client, against a small API of Kubernetes."""

import json
from contextlib import contextmanager

import pytest
from kubernetes import client

from factory.base.errors import TerminalError
from factory.deploy.http import NoAnswerError
from factory.deploy.targets.cluster import ClusterError, ClusterRefusedError, RolloutError
from factory.deploy.targets.kubernetes_manifests import APPLIED
from factory.deploy.targets.target import Built, PredictionRequest
from tests.deploy.kubernetes_api import NAMESPACE, running_cluster
from tests.deploy.placed import placed, target_of
from tests.models.records import record

NAME = "pets-detector"
REPOSITORY = "registry.example.org/pets/detector"


@pytest.fixture
def cluster():
    with running_cluster() as running:
        yield running


@pytest.fixture
def target(cluster):
    return make_target(cluster)


def make_target(cluster, **changes):
    section = target_of(
        {
            "type": "kubernetes",
            "image": {"repository": REPOSITORY},
            "namespace": NAMESPACE,
            "timeout": "30s",
            **changes,
        }
    )

    @contextmanager
    def connect(_section):
        configuration = client.Configuration(host=cluster.address)
        configuration.retries = False
        if cluster.token:
            configuration.api_key = {"authorization": f"Bearer {cluster.token}"}
        with client.ApiClient(configuration) as api:
            yield api

    return placed(section, cluster=connect)


def release(version):
    return record("pets.detector", version)


def built(version):
    return Built(reference=image(version))


def image(version):
    return f"{REPOSITORY}@sha256:{version:064x}"


def test_a_deployment_is_applied_by_server_side_apply_and_awaited(cluster, target):
    deployed = target.deploy(release(3), built(3))

    applies = [request for request in cluster.requests if request.method == "PATCH"]
    assert [r.path.split("/")[-2] for r in applies] == [
        "services",
        "deployments",
        "horizontalpodautoscalers",
    ]
    assert all(
        r.query == {"fieldManager": "ml-dag-factory", "force": "True", "fieldValidation": "Strict"}
        for r in applies
    )
    status = cluster.objects["deployments", NAME]["status"]
    assert status["availableReplicas"] == status["updatedReplicas"]
    assert (deployed.version, deployed.address) == (3, "http://pets-detector.models.svc:80")


def test_running_says_what_the_deployment_is_made_for(target):
    assert target.running("pets.detector") is None
    target.deploy(release(3), built(3))
    assert target.running("pets.detector").version == 3


def test_the_same_version_again_changes_nothing(cluster, target):
    target.deploy(release(3), built(3))
    before = cluster.objects["deployments", NAME]["metadata"]["generation"]
    target.deploy(release(3), built(3))
    assert cluster.objects["deployments", NAME]["metadata"]["generation"] == before


def test_a_probe_that_fails_brings_the_version_before_back(cluster, target):
    target.deploy(release(3), built(3))
    cluster.failing_images.add(image(4))

    with pytest.raises(RolloutError) as failed:
        target.deploy(release(4), built(4))

    assert "did not become ready in time" in str(failed.value)
    assert "CrashLoopBackOff; Error, exit status 1; started again 4 times" in str(failed.value)
    assert "Version 3, which ran before, runs again" in str(failed.value)
    assert cluster.image(NAME) == image(3)
    assert cluster.objects["deployments", NAME]["status"]["availableReplicas"] == 1
    assert target.running("pets.detector").version == 3


def test_a_first_version_that_fails_has_none_to_come_back_to(cluster, target):
    cluster.failing_images.add(image(1))
    with pytest.raises(RolloutError, match="There is no version before it"):
        target.deploy(release(1), built(1))


def test_restore_applies_what_ran_before_with_all_its_settings(cluster, target):
    target.deploy(release(3), built(3))
    before = target.running("pets.detector")
    changed = make_target(cluster, scale={"min": 3, "max": 3}, service={"port": 9000})
    changed.deploy(release(4), built(4))
    assert ("horizontalpodautoscalers", NAME) not in cluster.objects

    changed.restore(release(4), before)

    assert cluster.image(NAME) == image(3)
    assert ("horizontalpodautoscalers", NAME) in cluster.objects
    assert cluster.objects["services", NAME]["spec"]["ports"][0]["port"] == 80


def test_restore_twice_comes_to_the_same(cluster, target):
    target.deploy(release(3), built(3))
    before = target.running("pets.detector")
    target.deploy(release(4), built(4))
    for _ in range(2):
        target.restore(release(4), before)
    assert cluster.image(NAME) == image(3)


def test_restore_takes_everything_away_where_nothing_ran_before(cluster, target):
    target.deploy(release(1), built(1))
    for _ in range(2):
        target.restore(release(1), None)
    assert cluster.objects == {}


def test_what_was_applied_survives_xcom(target):
    deployed = target.deploy(release(3), built(3))
    found = target.running("pets.detector")
    assert type(found).from_json(json.loads(json.dumps(found.as_json()))).as_json() == (
        deployed.as_json()
    )


def test_a_watch_that_is_too_old_begins_anew(cluster, target):
    cluster.cut_watches = 2
    assert target.deploy(release(3), built(3)).version == 3


def test_a_rollout_that_nobody_judges_ends_by_its_own_deadline(cluster, monkeypatch):
    monkeypatch.setattr("factory.deploy.targets.kubernetes._PATIENCE", 1.0)
    cluster.silent_images.add(image(1))
    with pytest.raises(RolloutError, match="not ready after 2 seconds"):
        make_target(cluster, timeout="1s").deploy(release(1), built(1))


def test_another_ones_deployment_is_left_alone(cluster, target):
    cluster.apply("deployments", NAME, {"metadata": {"name": NAME}, "spec": _spec("nginx")})
    for act in (
        lambda: target.running("pets.detector"),
        lambda: target.deploy(release(1), built(1)),
        lambda: target.restore(release(1), None),
    ):
        with pytest.raises(TerminalError, match="is not the factory's"):
            act()
    assert cluster.image(NAME) == "nginx"


def _spec(name):
    return {"template": {"spec": {"containers": [{"image": name}]}}}


def test_a_missing_namespace_is_terminal_and_says_what_to_do(cluster):
    with pytest.raises(ClusterRefusedError, match="kubectl create namespace"):
        make_target(cluster, namespace="nowhere").deploy(release(1), built(1))


def test_a_cluster_in_trouble_is_tried_again(cluster, target):
    cluster.answers.append((503, "etcd leader changed"))
    with pytest.raises(ClusterError, match="etcd leader changed") as failed:
        target.running("pets.detector")
    assert not isinstance(failed.value, TerminalError)


def test_unknown_credentials_are_terminal(cluster, target):
    cluster.token = "planted-secret-token"
    strange = client.Configuration(host=cluster.address)
    strange.api_key = {"authorization": "Bearer planted-other-token"}

    with (
        running_with(cluster, strange) as one,
        pytest.raises(ClusterRefusedError, match="does not know the credentials") as failed,
    ):
        one.running("pets.detector")
    assert "planted" not in str(failed.value)
    assert make_target(cluster).running("pets.detector") is None


@contextmanager
def running_with(cluster, configuration):
    section = target_of(
        {"type": "kubernetes", "image": {"repository": REPOSITORY}, "namespace": NAMESPACE}
    )

    @contextmanager
    def connect(_section):
        with client.ApiClient(configuration) as api:
            yield api

    yield placed(section, cluster=connect)


def test_a_cluster_that_is_not_there_is_tried_again(cluster):
    gone = client.Configuration(host="http://127.0.0.1:1")
    gone.retries = False
    with running_with(cluster, gone) as target, pytest.raises(ClusterError) as failed:
        target.running("pets.detector")
    assert not isinstance(failed.value, TerminalError)


ANSWER = {"model": "pets.detector", "version": 3, "label": "cat", "probabilities": {"cat": 0.9}}


@pytest.mark.parametrize(
    ("kind", "body"),
    [("image/jpeg", b"\xff\xd8\xff\x00bytes"), ("application/json", b'{"rows": [{}]}')],
)
def test_the_service_is_asked_through_the_api_server(cluster, target, kind, body):
    asked = []

    def answer(path, content_type, content):
        asked.append((path, content_type, content))
        return 200, ANSWER

    cluster.proxied = answer
    deployed = target.deploy(release(3), built(3))
    found = target.predict(deployed, PredictionRequest(body, kind))

    assert asked == [("/invocations", kind, body)]
    assert found.values == ("cat",)
    assert found.version == 3


def test_a_refused_question_is_terminal_and_a_service_in_trouble_is_not(cluster, target):
    deployed = target.deploy(release(3), built(3))
    cluster.proxied = lambda *_: (422, {"detail": "not an image"})
    with pytest.raises(TerminalError, match="not an image"):
        target.predict(deployed, PredictionRequest(b"x", "image/png"))
    cluster.proxied = lambda *_: (503, {"detail": "no version answers yet"})
    with pytest.raises(NoAnswerError, match="no version answers yet"):
        target.predict(deployed, PredictionRequest(b"x", "image/png"))


def test_the_deployment_carries_what_was_applied_with_it(cluster, target):
    target.deploy(release(3), built(3))
    noted = cluster.objects["deployments", NAME]["metadata"]["annotations"][APPLIED]
    assert [manifest["kind"] for manifest in json.loads(noted)] == [
        "Service",
        "Deployment",
        "HorizontalPodAutoscaler",
    ]
