"""What every kind of notifier has in common."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, ClassVar

from pydantic_core import PydanticCustomError

from factory.base.rules import rule
from factory.base.section import Section, Surroundings
from factory.kinds import NOTIFIER, KindOf
from factory.notifiers.message import Message


@dataclass(frozen=True)
class AirflowNotifier:
    """One of Airflow's notifiers, and what it is made of."""

    path: str
    """The dotted path of a subclass of `airflow.sdk.BaseNotifier`."""
    arguments: Mapping[str, Any]
    has_templates: bool = False
    """Whether Airflow shall fill in templates in the arguments, such as `{{ notification.text }}`.

    Not where the arguments hold the message already: an error's text is no template.
    """


class Notifier(Section):
    """Somebody, or a program, that is sent messages.

    A kind of notifier is a subclass. Its fields are what a team may write, and `type` is a
    `Literal` with the kind's name. It sends a message by one of two methods: either `send`, in
    plain Python, or `through_airflow`, which names one of Airflow's notifiers. Whatever either of
    them raises is logged, and no run fails for it. Secrets are no fields: they belong into an
    Airflow connection whose name is a field.
    """

    PACKAGES: ClassVar[tuple[str, ...]] = ()
    """Packages, by their names on the package index, that must be installed beside the factory."""

    type: str

    @rule
    def _packages_are_installed(self, surroundings: Surroundings | None) -> None:
        for package in self.PACKAGES:
            check_installed(package, surroundings, at=("type",))

    def send(self, message: Message) -> None:
        """Send a message; not called where `through_airflow` names a notifier.

        Called in a thread of its own, in a task's process or in one of Airflow's DAG processor,
        which waits for it no longer than about 15 seconds.
        """
        raise NotImplementedError(f"{type(self).__name__} has neither `send` nor `through_airflow`")

    def through_airflow(self, message: Message) -> AirflowNotifier | None:  # noqa: ARG002 - for kinds
        """The notifier of Airflow's that sends a message; None where `send` does it."""
        return None


AnyNotifier = Annotated[Notifier, KindOf(NOTIFIER)]
"""Any kind of notifier."""


@cache
def is_installed(package: str) -> bool:
    """Whether a package is installed here, by its name on the package index."""
    from importlib import metadata

    try:
        metadata.distribution(package)
    except metadata.PackageNotFoundError:
        return False
    return True


def check_installed(package: str, surroundings: object, at: tuple[str, ...] = ()) -> None:
    """Raise, while a team file is read, unless a package is installed; `at` is the key to blame."""
    if isinstance(surroundings, Surroundings) and not is_installed(package):
        raise PydanticCustomError(
            "not_installed",
            "this notifier needs the package {package}, which is not installed",
            {"package": package, "at": at, "advice": f"install it: pip install {package}"},
        )
