"""`deploy: {type: process}`: `factory serve` on some machine, which follows the champion."""

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError, Url

from factory.base.secrets import is_secret_address
from factory.base.section import Text
from factory.deploy.common import DeploySection


def _check_address(value: str) -> str:
    try:
        scheme = Url(value).scheme
    except ValueError:
        scheme = ""
    if scheme not in ("http", "https"):
        raise PydanticCustomError(
            "address",
            "{value} is no address of a server: write http://host:port or https://host",
            {"value": repr(value)},
        )
    if is_secret_address(value):
        raise PydanticCustomError(
            "secret_address",
            "this address holds a password or token, which must not stand in a team file: "
            "leave it out, and let a proxy add it",
        )
    return value.rstrip("/")


class ProcessDeploy(DeploySection):
    """A `factory serve` that answers for many models.

    `factory up` and `factory demo` start one. Elsewhere, `url` or the variable FACTORY_SERVING_URL
    says where it answers.
    """

    builds: ClassVar[bool] = False

    type: Literal["process"]
    url: Annotated[Text, AfterValidator(_check_address)] | None = None
