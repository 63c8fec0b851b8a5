"""The folder `.factory`: where everything lies that the embedded runtime makes."""

import json
import os
import secrets
import sqlite3
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass
from pathlib import Path

from factory.runtime.log_files import rotate

OWNER_ONLY = 0o077
"""The umask of all processes of a runtime: nobody else reads what they write."""


DATABASE_PATIENCE = {"timeout": 60.0}
"""How Airflow connects to its database: so many seconds it waits for another process that writes. SQLite's own five are
too few on a busy machine, and a request then fails."""


@dataclass(frozen=True)
class Secrets:
    """What Airflow's processes share to trust each other; random, made once a home."""

    fernet_key: str
    jwt_secret: str
    api_secret_key: str

    def __repr__(self) -> str:
        return "Secrets(…)"

    @classmethod
    def random(cls) -> "Secrets":
        """New secrets; the Fernet key is 32 random bytes in URL-safe base64."""
        return cls(
            fernet_key=urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            jwt_secret=secrets.token_urlsafe(48),
            api_secret_key=secrets.token_urlsafe(48),
        )


@dataclass(frozen=True)
class Home:
    """The paths below a runtime's folder, usually `.factory` in the project."""

    folder: Path

    @classmethod
    def of(cls, project: Path) -> "Home":
        """The home of a project, unless another is asked for."""
        return cls(project.resolve() / ".factory")

    @property
    def foreground(self) -> "Home":
        """Where `factory run` keeps an Airflow of its own."""
        return Home(self.folder / "foreground")

    @property
    def sample(self) -> "Home":
        """Where `factory run --sample` keeps all that it makes."""
        return Home(self.folder / "sample")

    @property
    def downloads(self) -> Path:
        """What scenarios have downloaded."""
        return self.folder / "downloads"

    @property
    def scenarios(self) -> Path:
        """The projects of scenarios that were told."""
        return self.folder / "scenarios"

    @property
    def airflow(self) -> Path:
        """AIRFLOW_HOME."""
        return self.folder / "airflow"

    @property
    def airflow_database(self) -> Path:
        """Airflow's metadata, SQLite."""
        return self.airflow / "airflow.db"

    @property
    def migrated(self) -> Path:
        """Names the Airflow version that the database was migrated to."""
        return self.airflow / "migrated"

    @property
    def mlflow_database(self) -> Path:
        """MLflow's runs and registry, SQLite."""
        return self.folder / "mlflow" / "mlflow.db"

    @property
    def artifacts(self) -> Path:
        """What MLflow stores beside its database: models, plots."""
        return self.folder / "mlflow" / "artifacts"

    @property
    def lineage(self) -> Path:
        """OpenLineage events, one JSON object a line."""
        return self.folder / "openlineage" / "events.jsonl"

    @property
    def logs(self) -> Path:
        """One log a component."""
        return self.folder / "logs"

    @property
    def lock(self) -> Path:
        """Locked by the runtime that uses this home; its content says where that one answers."""
        return self.folder / "runtime.json"

    @property
    def foreground_lock(self) -> Path:
        """Held by each `factory run` at work; only in `foreground` there is one."""
        return self.folder / "running.lock"

    def prepare(self) -> None:
        """Make the folders and the two databases, for their owner only, those of before too.

        The databases are put into write-ahead mode before anything is in them: a dozen processes
        share them, and readers and writers then no longer wait for each other.
        """
        below = (
            self.airflow,
            self.artifacts.parent,
            self.artifacts,
            self.lineage.parent,
            self.logs,
        )
        for folder in (self.folder, *below):
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o700)
        for database in (self.airflow_database, self.mlflow_database):
            connection = sqlite3.connect(database)
            try:
                connection.execute("pragma journal_mode=wal")
            finally:
                connection.close()
            for file in database.parent.glob(f"{database.name}*"):
                file.chmod(0o600)

    def rotate_logs(self) -> None:
        """Put aside what has grown too large of the components' logs and of OpenLineage's events."""
        for log in self.logs.glob("*.log"):
            rotate(log, is_held=True)
        # Opened anew for each event.
        rotate(self.lineage, is_held=False)

    def remove_stale_pid_files(self) -> None:
        """Remove what Airflow's processes left behind when they were killed."""
        for path in self.airflow.glob("*.pid"):
            path.unlink(missing_ok=True)

    def secrets(self) -> Secrets:
        """This home's secrets, made at the first call and readable by their owner only."""
        path = self.folder / "secrets.json"
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            return Secrets(**json.loads(path.read_text()))
        made = Secrets.random()
        with os.fdopen(descriptor, "w") as file:
            json.dump(asdict(made), file)
        return made
