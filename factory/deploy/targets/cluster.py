"""A Kubernetes cluster through the official client: apply, look, remove, and await a rollout."""

import json
import logging
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.http import answer_of
from factory.deploy.targets.kubernetes_fields import Manifest
from factory.deploy.targets.target import PredictionAnswer, PredictionRequest

log = logging.getLogger(__name__)


FIELD_MANAGER = "ml-dag-factory"
"""Who owns the fields that are applied, as `kubectl get --show-managed-fields` shows it."""

_APPLY = "application/apply-patch+yaml"
_SECONDS = 30.0
"""For one request to connect, and to be answered; watching has no end of its own."""
_PLAIN: dict[str, Any] = {"_preload_content": False, "_request_timeout": _SECONDS}
"""The cluster's own JSON: the client's classes refuse what a newer or older cluster says."""
_WATCH_SECONDS = 60
"""For one request that watches; then the next begins."""


class ClusterError(FactoryError):
    """The cluster does not answer, or is in trouble."""


class ClusterRefusedError(ClusterError, TerminalError):
    """The cluster will not do it, however often it is asked."""


class RolloutError(TerminalError):
    """A version does not become ready."""


@dataclass(frozen=True)
class Cluster:
    """One namespace of a cluster."""

    api: Any
    """The official package's `ApiClient`."""
    namespace: str

    def apply(self, manifest: Manifest) -> Manifest:
        """Make the cluster have what a manifest says (server-side apply); what it has now.

        Fields that others set, such as an autoscaler's number of pods, stay theirs; those that the
        manifest names become ours.

        Raises:
            ClusterError: It could not; a ClusterRefusedError if it never will.
        """
        kind, name = manifest["kind"], manifest["metadata"]["name"]
        with _explained(f"apply {kind} {self.namespace}/{name}"):
            return _read(
                self._call("patch", kind)(
                    name,
                    self.namespace,
                    manifest,
                    field_manager=FIELD_MANAGER,
                    force=True,
                    field_validation="Strict",
                    _content_type=_APPLY,
                    **_PLAIN,
                )
            )

    def find(self, kind: str, name: str) -> Manifest | None:
        """An object; None if it is not there.

        Raises:
            ClusterError: The cluster cannot be asked.
        """
        with _explained(f"read {kind} {self.namespace}/{name}"):
            try:
                found = self._call("read", kind)(name, self.namespace, **_PLAIN)
            except _api_error() as error:
                if error.status == 404:
                    return None
                raise
        return _read(found)

    def remove(self, kind: str, name: str) -> None:
        """Remove an object and what belongs to it; nothing happens if there is none.

        Raises:
            ClusterError: It could not.
        """
        with _explained(f"remove {kind} {self.namespace}/{name}"):
            try:
                self._call("delete", kind)(
                    name,
                    self.namespace,
                    propagation_policy="Foreground",
                    **_PLAIN,
                )
            except _api_error() as error:
                if error.status != 404:
                    raise

    def await_rollout(self, name: str, *, seconds: float) -> None:
        """Watch a Deployment until all its pods are of the newest kind, and ready.

        Args:
            name: The Deployment's.
            seconds: When to give up, where the cluster's own deadline has not told before.

        Raises:
            RolloutError: It does not become ready: says what its pods are about.
            ClusterError: The cluster cannot be watched.
        """
        deadline = time.monotonic() + seconds
        last = RolloutProgress("waiting", "nothing is known of it yet")
        while (left := deadline - time.monotonic()) > 0:
            for found in self._watched(name, min(left, _WATCH_SECONDS)):
                progress = progress_of(found)
                if progress != last:
                    log.info("%s: %s", name, progress.words)
                last = progress
                if progress.state == "done":
                    return
                if progress.state == "failed":
                    raise RolloutError(f"{name}: {progress.words}. {self.pods_of(name)}")
        raise RolloutError(
            f"{name} is not ready after {seconds:g} seconds: {last.words}. {self.pods_of(name)}"
        )

    def pods_of(self, name: str) -> str:
        """What the pods of a Deployment are about that are not ready; a sentence or more.

        Raises:
            ClusterError: The cluster cannot be asked.
        """
        from kubernetes import client

        with _explained(f"list the pods of {self.namespace}/{name}"):
            pods = client.CoreV1Api(self.api).list_namespaced_pod(
                self.namespace,
                label_selector=f"app.kubernetes.io/instance={name}",
                **_PLAIN,
            )
        told = [text for pod in _read(pods)["items"] if (text := _about(pod))]
        return " ".join(told[:5]) or "It has no pod that would say why."

    def ask(
        self, service: str, port: str, path: str, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask a Service through the API server: it can be reached from wherever the cluster can.

        Args:
            service: Its name.
            port: The name of its port.
            path: Such as `/invocations`.
            question: The body.

        Raises:
            NoAnswerError: Nobody answers, or with an error that may pass.
            TerminalError: The question is refused.
        """
        url = f"/api/v1/namespaces/{self.namespace}/services/http:{service}:{port}/proxy{path}"
        is_json = question.content_type == "application/json"
        with _explained(f"ask the service {self.namespace}/{service}"):
            try:
                response = self.api.call_api(
                    url,
                    "POST",
                    header_params={
                        "Content-Type": question.content_type,
                        "Accept": "application/json",
                    },
                    # The client writes JSON itself, and sends other bodies as they are.
                    body=json.loads(question.body) if is_json else question.body,
                    auth_settings=["BearerToken"],
                    _preload_content=False,
                    _return_http_data_only=True,
                    _request_timeout=_SECONDS * 2,
                )
                status, content = response.status, response.data
            except _api_error() as error:
                if not error.status:
                    raise
                status, content = error.status, str(error.body or "").encode()
        return answer_of(status, content, f"the service {self.namespace}/{service}")

    def _watched(self, name: str, seconds: float) -> Iterator[Manifest]:
        """The Deployment as it is now, and then after each change."""
        from kubernetes import client, watch

        # Without a version to begin at, the first event is the state of now: nothing is missed.
        watcher = watch.Watch(return_type=object)
        with _explained(f"watch Deployment {self.namespace}/{name}"):
            try:
                for event in watcher.stream(
                    client.AppsV1Api(self.api).list_namespaced_deployment,
                    self.namespace,
                    field_selector=f"metadata.name={name}",
                    timeout_seconds=max(1, round(seconds)),
                    _request_timeout=(_SECONDS, seconds + _SECONDS),
                ):
                    if event["type"] == "DELETED":
                        raise RolloutError(f"{name} was removed while it was awaited")
                    yield event["raw_object"]
            except _api_error() as error:
                if error.status != 410:  # What it began at is too old by now: begin anew.
                    raise
            finally:
                watcher.stop()

    def _call(self, verb: str, kind: str) -> Any:
        from kubernetes import client

        methods = {
            "Deployment": (client.AppsV1Api, "deployment"),
            "Service": (client.CoreV1Api, "service"),
            "HorizontalPodAutoscaler": (client.AutoscalingV2Api, "horizontal_pod_autoscaler"),
        }
        group, noun = methods[kind]
        return getattr(group(self.api), f"{verb}_namespaced_{noun}")


def _read(response: Any) -> Manifest:
    found: Manifest = json.loads(response.data)
    return found


def _about(pod: Manifest) -> str:
    """Why a pod is not ready; empty where it is."""
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        if container.get("ready"):
            return ""
        state = container.get("state") or {}
        ended = state.get("terminated") or (container.get("lastState") or {}).get("terminated")
        said = [_words(state.get("waiting")), _words(ended)]
        if container.get("restartCount"):
            said.append(f"started again {container['restartCount']} times")
        if told := "; ".join(filter(None, said)):
            return f"Pod {pod['metadata']['name']}: {told}."
        return f"Pod {pod['metadata']['name']} runs, and its probe finds it not ready."
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return f"Pod {pod['metadata']['name']}: {condition['message']}."
    return ""


def _words(state: Manifest | None) -> str:
    if not state:
        return ""
    parts = [str(state.get("reason") or "")]
    if state.get("exitCode") is not None:
        parts.append(f"exit status {state['exitCode']}")
    if state.get("message"):
        parts.append(str(state["message"]).strip()[-500:])
    return ", ".join(filter(None, parts))


def _api_error() -> type[Any]:
    from kubernetes.client import ApiException

    error: type[Any] = ApiException
    return error


@contextmanager
def _explained(doing: str) -> Iterator[None]:
    """Turn the client's errors into ours."""
    from urllib3.exceptions import HTTPError

    try:
        yield
    except HTTPError as error:
        raise ClusterError(f"could not {doing}: the cluster does not answer: {error}") from None
    except _api_error() as error:
        status, said = error.status, _message(error)
        if not status or status >= 500 or status in (408, 409, 429):
            raise ClusterError(f"could not {doing}: {said}") from None
        raise ClusterRefusedError(f"could not {doing}: {said}{_HINTS.get(status, '')}") from None


_HINTS = {
    401: "; the cluster does not know the credentials",
    403: "; allow it to the role of whoever deploys (see docs/deploy.md)",
    404: "; the namespace must be there: kubectl create namespace",
}


def _message(error: Any) -> str:
    """The API server's own words."""
    try:
        return str(json.loads(error.body)["message"])
    except (TypeError, ValueError, KeyError):
        return f"{error.status} {error.reason}"


@dataclass(frozen=True)
class RolloutProgress:
    """Where a rollout is."""

    state: Literal["waiting", "done", "failed"]
    words: str


def progress_of(deployment: Mapping[str, Any]) -> RolloutProgress:
    """How far a Deployment is with its newest pods, told from its status as `kubectl rollout` does.

    Args:
        deployment: The object as the API gives it.
    """
    spec, status = deployment["spec"], deployment.get("status") or {}
    if status.get("observedGeneration", 0) < deployment["metadata"].get("generation", 0):
        return RolloutProgress("waiting", "the cluster has not seen the change yet")
    for condition in status.get("conditions") or ():
        if (
            condition["type"] == "Progressing"
            and condition.get("reason") == "ProgressDeadlineExceeded"
        ):
            return RolloutProgress("failed", "the new pods did not become ready in time")
    wanted = spec.get("replicas", 1)
    there, updated = status.get("replicas", 0), status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < wanted:
        return RolloutProgress("waiting", f"{updated} of {wanted} pods are new")
    if there > updated:
        return RolloutProgress("waiting", f"{there - updated} earlier pods are still to end")
    if available < updated:
        return RolloutProgress("waiting", f"{available} of {updated} new pods are ready")
    return RolloutProgress("done", f"{available} pods are ready")
