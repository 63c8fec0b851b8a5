"""Where the servers listen."""

import socket

import pytest

from factory.runtime.errors import PortTakenError
from factory.runtime.ports import HOST, Ports


@pytest.mark.parametrize(("taken", "option"), [("airflow", "--port"), ("mlflow", "--mlflow-port")])
def test_a_taken_port_is_named_with_the_option_that_sets_another(taken: str, option: str) -> None:
    with socket.socket() as listener:
        listener.bind((HOST, 0))
        listener.listen()
        port = listener.getsockname()[1]
        free = Ports.free()
        ports = Ports(**{"airflow": free.airflow, "mlflow": free.mlflow, taken: port})
        with pytest.raises(PortTakenError, match=rf"port {port} .* `{option} \d+`") as raised:
            ports.check()
        assert raised.value.port == port
    ports.check()


def test_one_port_for_both_servers_is_refused() -> None:
    port = Ports.free().airflow
    with pytest.raises(PortTakenError, match="--mlflow-port"):
        Ports(port, port).check()


def test_its_port_is_checked_only_if_there_is_a_server():
    port = Ports.free().airflow
    ports = Ports(port, Ports.free().mlflow, port)
    ports.check()
    with pytest.raises(PortTakenError, match=r"`--serving-port \d+` or FACTORY_SERVING_PORT="):
        ports.check(serving=True)
