"""What targets need of the machine that they are called on, and of whoever calls them."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from factory.base.aws import Session
from factory.base.errors import TerminalError
from factory.deploy.targets.kubernetes_section import KubernetesDeploy
from factory.lake.storage import access


def _no_connections(name: str | None) -> Session:
    if name is not None:
        raise TerminalError(
            f"the connection {name!r} is Airflow's, and this does not run in a task of Airflow: "
            "leave `connection` out, and the credentials are the environment's"
        )
    return access.current().session


def _own_cluster(section: KubernetesDeploy) -> AbstractContextManager[Any]:
    if section.connection is not None or section.eks is not None:
        raise TerminalError(
            "`connection` and `eks` go through Airflow, and this does not run in a task of Airflow: "
            "leave them out, and the cluster is that of the kubeconfig"
        )
    from factory.deploy.cluster import own_cluster

    return own_cluster()


@dataclass(frozen=True)
class Places:
    """Where things are, and how they are reached."""

    project: Path = field(default_factory=Path.cwd)
    """What paths in team files start from."""
    session: Callable[[str | None], Session] = _no_connections
    """A boto3 session by an Airflow connection's name; None for that which storage uses."""
    cluster: Callable[[KubernetesDeploy], AbstractContextManager[Any]] = _own_cluster
    """A client of the official kubernetes package for the cluster that a section names."""
