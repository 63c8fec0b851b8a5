"""What every kind of deploy target has in common: somewhere that a model's champion answers."""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Self

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.aws import AwsClients, Session
from factory.base.digests import sha256
from factory.base.errors import TerminalError
from factory.base.hosts import EVERY_HOST
from factory.base.rules import Broken, rule
from factory.base.section import ListOf, ProjectFile, Seconds, Section
from factory.base.values import Result
from factory.kinds import DEPLOY_TARGET, KindOf
from factory.models.record import ModelRecord

if TYPE_CHECKING:
    from factory.models.tracking import Tracking

_LONGEST_NAME = 50
"""Kubernetes and SageMaker take 63 characters, and Kubernetes adds some of its own to pods' names."""

IMAGE_TYPES: Mapping[str, str] = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
}
"""The images that a served model takes, by their files' suffixes."""


def _check_suffix(value: str) -> str:
    suffix = PurePosixPath(value).suffix.lower()
    if suffix not in (*IMAGE_TYPES, ".json"):
        raise PydanticCustomError(
            "smoke_test_file",
            "{value} is neither an image (.jpg, .png, .webp) nor rows (.json)",
            {"value": repr(value)},
        )
    return value


class SmokeTest(Section):
    """What a new deployment is asked, and what it must answer.

    Without `file` and `rows` it is asked about the input example that the version was registered
    with. Without `expect`, any sensible answer of the right version will do.
    """

    file: Annotated[ProjectFile, AfterValidator(_check_suffix)] | None = None
    """An image, or JSON: rows, or `{"rows": […]}`."""
    rows: ListOf[dict[str, Any]] | None = Field(default=None, min_length=1, max_length=1000)
    """Rows with the model's features, in place of a file."""
    expect: str | int | float | bool | None = None
    """The class, or the number, that must come back for each of them."""
    tolerance: float | None = Field(default=None, ge=0)
    """How far a regression's number may be from `expect`."""

    @rule
    def _consistent(self) -> Broken:
        if self.file is not None and self.rows is not None:
            yield PydanticCustomError("smoke_test", "write either `file` or `rows`")
        if self.expect is not None and self.file is None and self.rows is None:
            yield PydanticCustomError(
                "smoke_test",
                "`expect` needs `file` or `rows`: what an input example is, changes with every version",
                {"at": ("expect",)},
            )
        if self.tolerance is not None and self.expect is None:
            yield PydanticCustomError(
                "smoke_test", "`tolerance` belongs to `expect`", {"at": ("tolerance",)}
            )


class Built(Result):
    """What was made of a version so that a target can run it: a container image, an archive."""

    reference: str
    """A container image's name with its digest, or an archive's address."""
    facts: Mapping[str, str] = Field(default_factory=dict)
    """What a person, or `deploy`, wants to know of it."""


class Deployed(Result):
    """A version that a target runs."""

    model: str
    version: int
    address: str
    """Where it answers, as a person would write it."""
    details: Mapping[str, Any] = Field(default_factory=dict)
    """What the target needs to ask it, and to come back to it: small JSON without secrets."""


@dataclass(frozen=True)
class PredictionRequest:
    """The body of one request."""

    body: bytes
    content_type: str
    """`image/jpeg`, `image/png`, `image/webp`, or `application/json` for `{"rows": […]}`."""


@dataclass(frozen=True)
class PredictionAnswer:
    """What a deployment said, in its own words: a value a row."""

    values: tuple[Any, ...]
    """Classes or numbers."""
    probabilities: tuple[Mapping[str, float], ...] | None = None
    """For each row, that of each class."""
    version: int | None = None
    """Which version answered, where the answer says so."""


@dataclass(frozen=True)
class ClusterAccess:
    """Which Kubernetes cluster is meant: that of this process where neither of two is named."""

    namespace: str
    connection: str | None = None
    """An Airflow connection of type `kubernetes`."""
    eks: str | None = None
    """The name of a cluster at Amazon."""
    eks_connection: str | None = None
    """The Airflow connection of type `aws` that logs in there."""
    eks_region: str | None = None


def _storage_session(connection: str | None) -> Session:
    from factory.lake.storage import access

    if connection is not None:
        raise TerminalError(
            f"the connection {connection!r} is Airflow's, and this does not run in a task of "
            "Airflow: leave `connection` out, and the credentials are the environment's"
        )
    return access.current().session


def _own_cluster(access: ClusterAccess) -> AbstractContextManager[Any]:
    from factory.base.kubernetes import own_cluster

    if access.connection is not None or access.eks is not None:
        raise TerminalError(
            "`connection` and `eks` go through Airflow, and this does not run in a task of Airflow: "
            "leave them out, and the cluster is that of the kubeconfig"
        )
    return own_cluster()


@dataclass(frozen=True)
class DeployContext:
    """What a target is given beside its section: where things are, and how they are reached."""

    tracking: "Tracking"
    """The MLflow server, whose registry holds the model."""
    project: Path = field(default_factory=Path.cwd)
    """What paths in team files start from."""
    aws: AwsClients = field(default_factory=lambda: AwsClients(_storage_session))
    """Clients of AWS."""
    cluster: Callable[[ClusterAccess], AbstractContextManager[Any]] = _own_cluster
    """A client of the official kubernetes package for a cluster."""
    internal_hosts: tuple[str, ...] = (EVERY_HOST,)
    """Servers that a team may name though they are internal: see `factory.base.hosts`."""


class Target(Section):
    """Where a model's champion answers, and how one finds out that it does.

    A kind of target is a subclass. Its fields are what a team may write, `type` is a `Literal` with
    the kind's name, and its methods run versions of one model in one place.

    Every method may be called again after it has failed or was interrupted, and then goes on from
    what it finds. A `FactoryError` is tried again, a `TerminalError` is not. Secrets are no fields:
    they belong into an Airflow connection whose name is a field.
    """

    type: str
    smoke_test: SmokeTest = SmokeTest.unwritten()
    """What the deployment is asked before it counts as deployed."""
    timeout: Seconds = 600
    """How long it may take to answer."""

    needs_making: ClassVar[bool] = True
    """Whether something must be made of a version, by `make`, before it can run there."""

    @property
    def wants_local_server(self) -> bool:
        """Whether `factory up` and `factory demo` must start a server for it."""
        return False

    def with_lake(self, storage: str) -> Self:  # noqa: ARG002 - for kinds
        """The section with the lake's address filled in, where it needs one and names none."""
        return self

    def check_model(self, *, has_classes: bool, takes_images: bool) -> Broken:
        """Check that a deployment can be asked about what its model takes and gives.

        Args:
            has_classes: Whether the model predicts classes, and not numbers.
            takes_images: Whether it learns from images.

        Returns:
            What is wrong, each with the way to it.
        """
        test = self.smoke_test
        at = ("deploy", "smoke_test")
        is_image = test.file is not None and PurePosixPath(test.file).suffix.lower() in IMAGE_TYPES
        if is_image and not takes_images:
            yield PydanticCustomError(
                "smoke_test",
                "this model takes rows and no images: name a .json file, or write `rows`",
                {"at": (*at, "file")},
            )
        if takes_images and (test.rows is not None or (test.file is not None and not is_image)):
            yield PydanticCustomError(
                "smoke_test",
                "this model takes an image: name a file that ends with .jpg, .png or .webp",
                {"at": (*at, "rows" if test.rows is not None else "file")},
            )
        if has_classes and test.tolerance is not None:
            yield PydanticCustomError(
                "smoke_test",
                "`tolerance` belongs to a regression: a class is right or wrong",
                {"at": (*at, "tolerance")},
            )
        if not has_classes and isinstance(test.expect, (str, bool)):
            yield PydanticCustomError(
                "smoke_test",
                "{value} is no number, and a regression says numbers",
                {"value": repr(test.expect), "at": (*at, "expect")},
            )

    @abstractmethod
    def running(self, context: DeployContext, model: str) -> Deployed | None:
        """What the target runs of a model now; None for nothing. Changes nothing.

        Args:
            context: Where things are.
            model: The full name, `team.model`.

        Raises:
            FactoryError: The target cannot be asked.
        """

    def make(self, context: DeployContext, record: ModelRecord, folder: Path) -> Built | None:
        """Make what the target runs; None where it needs nothing made. Nothing that runs is changed.

        Args:
            context: Where things are.
            record: The version.
            folder: An empty folder to work in.

        Raises:
            FactoryError: It cannot be made.
        """
        del context, record, folder
        return None

    @abstractmethod
    def deploy(self, context: DeployContext, record: ModelRecord, built: Built | None) -> Deployed:
        """Run a version and wait until it is ready to answer.

        Args:
            context: Where things are.
            record: The version.
            built: What `make` returned.

        Raises:
            FactoryError: It did not become ready in time, or the target cannot be reached.
            TerminalError: It never will.
        """

    @abstractmethod
    def predict(
        self, context: DeployContext, deployed: Deployed, question: PredictionRequest
    ) -> PredictionAnswer:
        """Ask what was deployed, over the interface that its callers use.

        Raises:
            FactoryError: It does not answer, or answers with an error.
        """

    @abstractmethod
    def restore(self, context: DeployContext, record: ModelRecord, before: Deployed | None) -> None:
        """Run again what ran before, after a version has failed or only half got there.

        By now the registry's champion is the earlier version again, where there is one. Where nothing
        ran before, what was begun is taken away.

        Args:
            context: Where things are.
            record: What failed.
            before: What `running` said before anything was changed.

        Raises:
            FactoryError: It could not be brought back: says what runs now, and what a person must do.
        """


AnyTarget = Annotated[Target, KindOf(DEPLOY_TARGET)]
"""Any kind of deploy target."""


def plain_name(model: str) -> str:
    """The model's name with dashes, cut where it is long.

    Two models may come to the same name (`a_b.c` and `a.b_c`): whoever uses it notes the full one
    beside it, and looks before it changes anything.

    Args:
        model: The full name, `team.model`.
    """
    name = model.replace(".", "-").replace("_", "-").strip("-")
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[: _LONGEST_NAME - 9].rstrip('-')}-{sha256(model)[:8]}"
