"""The target `kubernetes`: a Deployment that rolls from version to version."""

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.access import Places
from factory.deploy.cluster import Cluster, RolloutError
from factory.deploy.container_image import make_image
from factory.deploy.invocations import PATH
from factory.deploy.manifests import MODEL, VERSION, Manifest, manifests
from factory.deploy.model_folder import fill_model_folder
from factory.deploy.names import plain_name
from factory.deploy.protocol import Answer, Built, Deployed, Question, Release
from factory.deploy.targets.kubernetes_section import KubernetesDeploy
from factory.models.tracking import Tracking

log = logging.getLogger(__name__)

APPLIED = "factory/applied"
"""The annotation of a Deployment that holds all manifests of its version: how to come back to it."""

KINDS = ("Service", "Deployment", "HorizontalPodAutoscaler")
_PATIENCE = 60.0
"""Seconds beyond the cluster's own deadline, for a cluster that does not tell."""


class KubernetesTarget:
    """One namespace of a cluster; everything of a model has the model's name, with dashes."""

    def __init__(self, section: KubernetesDeploy, tracking: Tracking, places: Places) -> None:
        self._section = section
        self._tracking = tracking
        self._places = places

    def running(self, model: str) -> Deployed | None:
        """The version that the model's Deployment is made for.

        Raises:
            TerminalError: There is a Deployment of this name that is not the model's.
            ClusterError: The cluster cannot be asked.
        """
        with self._cluster() as cluster:
            return self._running(cluster, model)

    def build(self, release: Release, folder: Path) -> Built | None:
        """Build the image that holds the version, and push it; the log shows the manifests.

        Raises:
            TerminalError: A program, a package or a permission is missing.
            FactoryError: The model cannot be fetched, or the builder or the registry failed.
        """
        model_folder = folder / "model"
        fill_model_folder(release, model_folder, self._tracking)
        built = make_image(
            self._section.image, release, folder, self._places, model_folder=model_folder
        )
        made = manifests(self._section, release, built.reference)
        log.info("what is going to be applied:\n%s", as_yaml(made))
        return built

    def deploy(self, release: Release, built: Built | None) -> Deployed:
        """Apply the version's manifests and watch until all its pods are ready.

        When they do not become ready, the version before is applied again at once.

        Raises:
            RolloutError: They did not become ready: says why, and what runs now.
            ClusterError: The cluster could not be asked; a ClusterRefusedError if it never can.
        """
        if built is None:
            raise TerminalError(f"there is no image of {release.model}: its build left none")
        with self._cluster() as cluster:
            before = self._running(cluster, release.model)
            made = manifests(self._section, release, built.reference)
            try:
                self._apply(cluster, made)
            except RolloutError as error:
                raise RolloutError(f"{error} {self._back(cluster, release, before)}") from None
            return self._deployed(release.model, release.version, made)

    def predict(self, deployed: Deployed, question: Question) -> Answer:
        """Ask the model's Service, through the cluster's API server.

        Raises:
            NoAnswerError: It does not answer, or is in trouble.
            TerminalError: It refuses the question.
        """
        with self._cluster() as cluster:
            return cluster.ask(plain_name(deployed.model), "http", PATH, question)

    def restore(self, release: Release, before: Deployed | None) -> None:
        """Apply the version before again and watch until it is ready, or remove what was begun.

        Raises:
            FactoryError: It did not become ready, or the cluster could not be asked.
        """
        with self._cluster() as cluster:
            if before is None:
                self._running(cluster, release.model)  # whose it is
                for kind in reversed(KINDS):
                    cluster.remove(kind, plain_name(release.model))
                return
            try:
                self._apply(cluster, _applied(before))
            except FactoryError as error:
                raise type(error)(
                    f"version {before.version} of {before.model} ran until now and did not come back: "
                    f"{error} Look: kubectl --namespace {self._section.namespace} describe deployment "
                    f"{plain_name(before.model)}"
                ) from error

    def _apply(self, cluster: Cluster, made: list[Manifest]) -> None:
        name = made[0]["metadata"]["name"]
        for manifest in made:
            cluster.apply(_noted(manifest, made) if manifest["kind"] == "Deployment" else manifest)
        for kind in KINDS:
            if kind not in {manifest["kind"] for manifest in made}:
                cluster.remove(kind, name)
        cluster.await_rollout(name, seconds=self._section.timeout + _PATIENCE)

    def _back(self, cluster: Cluster, release: Release, before: Deployed | None) -> str:
        """Come back to the version before; what runs now, as a sentence."""
        if before is None or before.version == release.version:
            return "There is no version before it here to come back to."
        try:
            self._apply(cluster, _applied(before))
        except FactoryError as error:
            return f"Version {before.version}, which ran before, did not come back either: {error}"
        return f"Version {before.version}, which ran before, runs again."

    def _running(self, cluster: Cluster, model: str) -> Deployed | None:
        name = plain_name(model)
        found = cluster.find("Deployment", name)
        if found is None:
            return None
        notes = found["metadata"].get("annotations") or {}
        noted = notes.get(APPLIED)
        if notes.get(MODEL) != model or not noted:
            raise TerminalError(
                f"the namespace {cluster.namespace} has a Deployment {name} that is not the factory's "
                f"for {model}: remove it, or write another `namespace`"
            )
        version = int(found["metadata"]["labels"][VERSION])
        return self._deployed(model, version, json.loads(noted))

    def _deployed(self, model: str, version: int, made: list[Manifest]) -> Deployed:
        service = f"{plain_name(model)}.{self._section.namespace}.svc:{self._section.service.port}"
        return Deployed(
            model=model,
            version=version,
            address=f"http://{service}",
            details={"manifests": made},
        )

    @contextmanager
    def _cluster(self) -> Iterator[Cluster]:
        with self._places.cluster(self._section) as api:
            yield Cluster(api, self._section.namespace)


def as_yaml(made: list[Manifest]) -> str:
    """Manifests as `kubectl apply --filename` takes them."""
    import yaml

    return yaml.safe_dump_all(made, sort_keys=False)


def _noted(deployment: Manifest, made: list[Manifest]) -> Manifest:
    """The Deployment with an annotation that holds everything that is applied with it."""
    text = json.dumps(made, sort_keys=True, separators=(",", ":"))
    annotations = {**deployment["metadata"]["annotations"], APPLIED: text}
    metadata = {**deployment["metadata"], "annotations": annotations}
    return {**deployment, "metadata": metadata}


def _applied(deployed: Deployed) -> list[Manifest]:
    return [dict(manifest) for manifest in deployed.details["manifests"]]
