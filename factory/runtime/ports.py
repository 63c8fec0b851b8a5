"""Where the runtime's two servers listen, always on the loopback interface."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from factory.runtime.errors import PortTakenError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The ports of Airflow's API server (its web page, too) and of MLflow."""

    airflow: int = 8080
    mlflow: int = 5000

    @property
    def airflow_url(self) -> str:
        """Airflow's web page and API."""
        return f"http://{HOST}:{self.airflow}"

    @property
    def mlflow_url(self) -> str:
        """MLflow's web page and API."""
        return f"http://{HOST}:{self.mlflow}"

    @classmethod
    def free(cls) -> "Ports":
        """Two ports that nobody listens on."""
        with ExitStack() as held:
            sockets = [held.enter_context(socket.socket()) for _ in range(2)]
            for each in sockets:
                each.bind((HOST, 0))
            airflow, mlflow = (int(each.getsockname()[1]) for each in sockets)
        return cls(airflow=airflow, mlflow=mlflow)

    def check(self) -> None:
        """Raise unless both ports are free.

        Raises:
            PortTakenError: names the port, and the option that sets another.
        """
        if self.airflow == self.mlflow:
            raise PortTakenError(self.airflow, "MLflow", "--mlflow-port")
        for port, server, option in (
            (self.airflow, "Airflow", "--port"),
            (self.mlflow, "MLflow", "--mlflow-port"),
        ):
            with socket.socket() as probe:
                # As the servers do: a port that merely has old connections closing is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise PortTakenError(port, server, option) from error
