"""The Kubernetes cluster that this process may use; its package comes with the extra `kubernetes`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from factory.base.errors import TerminalError


@contextmanager
def own_cluster() -> Iterator[Any]:
    """A client of the cluster that this process runs in, or of the kubeconfig's current context.

    Raises:
        TerminalError: The extra `kubernetes` is not installed, or no cluster is configured.
    """
    try:
        from kubernetes import client, config
    except ImportError:
        raise TerminalError(missing_extra()) from None
    configuration = client.Configuration()
    try:
        try:
            config.load_incluster_config(configuration)
        except config.ConfigException:
            config.load_kube_config(client_configuration=configuration)
    except config.ConfigException as error:
        raise TerminalError(
            f"no cluster is configured here ({error}): name an Airflow connection of type "
            "`kubernetes` as `connection`, or a cluster as `eks`, or give the worker a kubeconfig"
        ) from None
    with client.ApiClient(configuration) as api:
        yield api


def missing_extra() -> str:
    """Says what to install."""
    return 'a deployment to Kubernetes needs the extra `kubernetes`: pip install "ml-dag-factory[kubernetes]"'
