"""How deployments reach AWS and clusters: through the connections that a team file names."""

import os
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from factory.airflow import masking
from factory.base.errors import TerminalError

if TYPE_CHECKING:
    from factory.deploy.targets.target import ClusterAccess, DeployContext
    from factory.models.tracking import Tracking


def deploy_context(
    tracking: "Tracking", project: Path, internal_hosts: tuple[str, ...]
) -> "DeployContext":
    """What a target is given in a task.

    Args:
        tracking: The MLflow server.
        project: The project's folder.
        internal_hosts: Servers that the platform lets teams name though they are internal.
    """
    from factory.base.aws import AwsClients
    from factory.deploy.targets.target import DeployContext

    return DeployContext(tracking, project, AwsClients(_session), _cluster, internal_hosts)


def _session(connection: str | None) -> Any:
    """A boto3 session of a connection; None for that which storage uses.

    Raises:
        TerminalError: The extra `aws` is not installed, or the connection is of another type.
    """
    from factory.airflow.storage_access import aws_session
    from factory.lake.storage import access

    return access.current().session if connection is None else aws_session(connection)


def _cluster(access: "ClusterAccess") -> AbstractContextManager[Any]:
    """A client of a cluster.

    Raises:
        TerminalError: The extra is not installed, or the connection is of another type.
    """
    from factory.base.kubernetes import own_cluster

    if access.eks is not None:
        return _eks(access, access.eks)
    if access.connection is not None:
        return nullcontext(_kubernetes(access.connection))
    return own_cluster()


def _kubernetes(connection: str) -> Any:
    try:
        from airflow.providers.cncf.kubernetes.hooks.kubernetes import KubernetesHook
    except ImportError:
        from factory.base.kubernetes import missing_extra

        raise TerminalError(missing_extra()) from None
    _require_type(connection, "kubernetes")
    return KubernetesHook(conn_id=connection).get_conn()


@contextmanager
def _eks(access: "ClusterAccess", cluster: str) -> Iterator[Any]:
    """A client of a cluster at Amazon.

    The provider writes a kubeconfig whose login is a program that asks AWS for a token, and the
    credentials for that into a file that only this user may read; both are gone afterwards.
    """
    try:
        from airflow.providers.amazon.aws.hooks.eks import EksHook
        from kubernetes import config
    except ImportError:
        raise TerminalError(
            "a cluster at Amazon needs the extras `aws` and `kubernetes`: "
            'pip install "ml-dag-factory[aws,kubernetes]"'
        ) from None
    from factory.base.aws import calling

    if access.eks_connection is not None:
        _require_type(access.eks_connection, "aws")
    hook = EksHook(aws_conn_id=access.eks_connection, region_name=access.eks_region)
    with ExitStack() as stack:
        with calling(f"log in to the cluster {cluster}"):
            kubeconfig, _ = stack.enter_context(
                hook.generate_config_file_with_credentials(cluster, access.namespace)
            )
        stack.enter_context(_own_python_first())
        yield config.new_client_from_config(kubeconfig)


@contextmanager
def _own_python_first() -> Iterator[None]:
    """Let programs that are started find this Python first: the provider's asks for `python3.11`."""
    before = os.environ.get("PATH", os.defpath)
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{before}"
    try:
        yield
    finally:
        os.environ["PATH"] = before


def _require_type(connection: str, wanted: str) -> None:
    found = masking.connection(connection).conn_type
    if found != wanted:
        raise TerminalError(
            f"connection {connection!r} is of type {found!r}: this needs one of type {wanted!r}"
        )
