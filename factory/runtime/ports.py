"""Where the runtime's servers listen, always on the loopback interface."""

import socket
from contextlib import ExitStack
from dataclasses import dataclass

from factory.runtime.errors import PortTakenError

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Ports:
    """The ports of Airflow's API server (its web page, too), of MLflow, and of the models' server."""

    airflow: int = 8080
    mlflow: int = 5000
    serving: int = 8000

    @property
    def airflow_url(self) -> str:
        """Airflow's web page and API."""
        return f"http://{HOST}:{self.airflow}"

    @property
    def mlflow_url(self) -> str:
        """MLflow's web page and API."""
        return f"http://{HOST}:{self.mlflow}"

    @property
    def serving_url(self) -> str:
        """The models' server, if there is one."""
        return f"http://{HOST}:{self.serving}"

    @classmethod
    def free(cls) -> "Ports":
        """Ports that nobody listens on."""
        with ExitStack() as held:
            sockets = [held.enter_context(socket.socket()) for _ in range(3)]
            for each in sockets:
                each.bind((HOST, 0))
            airflow, mlflow, serving = (int(each.getsockname()[1]) for each in sockets)
        return cls(airflow=airflow, mlflow=mlflow, serving=serving)

    def check(self, *, serving: bool = False) -> None:
        """Raise unless all ports are free.

        Args:
            serving: Whether there will be a server of models.

        Raises:
            PortTakenError: names the port, and the option that sets another.
        """
        listening = [(self.airflow, "Airflow", "--port"), (self.mlflow, "MLflow", "--mlflow-port")]
        if serving:
            listening.append((self.serving, "the server of models", "--serving-port"))
        taken: set[int] = set()
        for port, server, option in listening:
            if port in taken:
                raise PortTakenError(port, server, option)
            taken.add(port)
            with socket.socket() as probe:
                # As the servers do: a port that merely has old connections closing is free.
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                try:
                    probe.bind((HOST, port))
                except OSError as error:
                    raise PortTakenError(port, server, option) from error
