"""Addresses of MLflow's pages, for people."""

import os

_FOR_PEOPLE = "FACTORY_MLFLOW_URL"

_TRAINING = "?workflowType=machine_learning"
"""What makes MLflow 3 show pages about training: it goes by the browser and the address alone, and a browser that
it has not met sees pages about language models, with traces in place of models."""


def experiments_page(server: str) -> str:
    """Where a person looks at all experiments.

    Args:
        server: MLflow's address, as tasks know it; `FACTORY_MLFLOW_URL` wins, since browsers may not reach that one.
    """
    return _page(server, "experiments")


def run_page(server: str, experiment_id: str, run_id: str, below: str = "") -> str:
    """Where a person looks at a run, or at something below it, such as `artifacts/test`."""
    return _page(
        server, "/".join(filter(None, ("experiments", experiment_id, "runs", run_id, below)))
    )


def version_page(server: str, model: str, version: int) -> str:
    """Where a person looks at a registered version."""
    return _page(server, f"models/{model}/versions/{version}")


def _page(server: str, path: str) -> str:
    return f"{(os.environ.get(_FOR_PEOPLE) or server).rstrip('/')}/#/{path}{_TRAINING}"
