"""Manifests are plain data that Kubernetes takes."""

import json

import kubernetes_validate
import pytest
from kubernetes_validate.utils import all_versions

from factory.deploy.targets.kubernetes_manifests import as_yaml
from tests.deploy.placed import target_of
from tests.models.records import record

IMAGE = f"registry.example.org/pets/detector@sha256:{'a' * 64}"
RELEASE = record("pets.cat_detector", 7, estimator="fastai.vision.learner.vision_learner")


def section(**changes):
    image = {"repository": "registry.example.org/pets/detector"}
    return target_of({"type": "kubernetes", "image": image, **changes})


FULL = {
    "namespace": "models",
    "scale": {"min": 3, "max": 9, "cpu": 60},
    "resources": {"cpu": "1500m", "memory": "2Gi", "cpu_limit": "2"},
    "service": {"type": "LoadBalancer", "port": 8000, "annotations": {"b/x": "1", "a/x": "2"}},
    "service_account": "serving",
    "pull_secrets": ["registry"],
    "node_selector": {"kubernetes.io/arch": "amd64"},
    "timeout": "20m",
}


@pytest.mark.parametrize("version", all_versions()[-12:])
@pytest.mark.parametrize("changes", [{}, FULL, {"scale": {"min": 1, "max": 1}}])
def test_every_manifest_is_valid(changes, version):
    for manifest in section(**changes).manifests(RELEASE, IMAGE):
        kubernetes_validate.validate(manifest, version, strict=True)


def test_the_same_version_makes_the_same_manifests():
    first, second = (as_yaml(section(**FULL).manifests(RELEASE, IMAGE)) for _ in range(2))
    assert first == second


def test_manifests_are_plain_json():
    made = section(**FULL).manifests(RELEASE, IMAGE)
    assert json.loads(json.dumps(made)) == made


def by_kind(**changes):
    return {m["kind"]: m for m in section(**changes).manifests(RELEASE, IMAGE)}


def test_an_autoscaler_leaves_no_number_of_pods_in_the_deployment():
    made = by_kind()
    assert "replicas" not in made["Deployment"]["spec"]
    assert made["HorizontalPodAutoscaler"]["spec"]["minReplicas"] == 2


def test_a_fixed_number_of_pods_needs_no_autoscaler():
    made = by_kind(scale={"min": 3, "max": 3})
    assert "HorizontalPodAutoscaler" not in made
    assert made["Deployment"]["spec"]["replicas"] == 3


def test_no_pod_goes_before_another_is_ready():
    strategy = by_kind()["Deployment"]["spec"]["strategy"]
    assert strategy["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_the_selector_names_no_version_since_it_may_never_change():
    deployment = by_kind()["Deployment"]
    selector = deployment["spec"]["selector"]["matchLabels"]
    assert "7" not in selector.values()
    assert selector.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()
    assert by_kind()["Service"]["spec"]["selector"] == selector


def test_pods_run_without_privileges():
    pod = by_kind()["Deployment"]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"]
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not pod["automountServiceAccountToken"]
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_long_names_stay_within_kubernetes_limits():
    long = RELEASE.model_copy(update={"model": f"{'a' * 60}.{'b' * 60}_"})
    other = RELEASE.model_copy(update={"model": f"{'a' * 60}.{'b' * 59}c_"})
    made = [section(**FULL).manifests(one, IMAGE)[0] for one in (long, other)]
    names = [manifest["metadata"]["name"] for manifest in made]
    assert names[0] != names[1]
    assert all(len(name) <= 50 and name.strip("-") == name for name in names)
    labels = made[0]["metadata"]["labels"].values()
    assert all(len(label) <= 63 for label in labels)
    assert made[0]["metadata"]["annotations"]["factory/model"] == long.model


def test_all_three_probes_ask_the_service():
    (container,) = by_kind()["Deployment"]["spec"]["template"]["spec"]["containers"]
    paths = [
        container[f"{kind}Probe"]["httpGet"]["path"]
        for kind in ("startup", "readiness", "liveness")
    ]
    assert paths == ["/ping", "/ping", "/healthz/live"]
