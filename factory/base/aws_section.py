"""What team files say of AWS wherever they do: fields of sections."""

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from factory.base.section import ListOf, Section

_MOST_TAGS = 45
"""SageMaker takes 50; some are the factory's own."""


def _like(pattern: str, what: str, example: str) -> AfterValidator:
    """Text that matches a pattern as a whole; else a problem that says what to write."""
    compiled = re.compile(pattern)

    def check(value: str) -> str:
        if compiled.fullmatch(value):
            return value
        raise PydanticCustomError(
            "format",
            "{value} is not {what}: write one such as `{example}`",
            {"value": repr(value), "what": what, "example": example},
        )

    return AfterValidator(check)


RoleArn = Annotated[
    str,
    _like(
        r"arn:aws[a-z\-]*:iam::\d{12}:role/[A-Za-z0-9+=,.@\-_/]{1,512}",
        "the ARN of a role",
        "arn:aws:iam::123456789012:role/training",
    ),
]
InstanceType = Annotated[
    str,
    _like(r"ml\.[a-z0-9-]+\.[a-z0-9-]+", "an instance type of SageMaker", "ml.m5.large"),
]
SubnetId = Annotated[str, _like(r"subnet-[0-9a-z]{1,25}", "a subnet", "subnet-0a1b2c3d")]
SecurityGroupId = Annotated[str, _like(r"sg-[0-9a-z]{1,29}", "a security group", "sg-0a1b2c3d")]
TagKey = Annotated[
    str,
    _like(
        r"(?!aws:)[A-Za-z0-9 _.:/=+\-@]{1,128}",
        "the key of a tag (which also must not begin with `aws:`)",
        "cost-center",
    ),
]
TagValue = Annotated[str, _like(r"[A-Za-z0-9 _.:/=+\-@]{0,256}", "the value of a tag", "research")]
S3Address = Annotated[
    str,
    _like(
        r"s3://[a-z0-9][a-z0-9.\-]{1,61}[a-z0-9](/[^/\s]+)*",
        "an address in S3",
        "s3://bucket/prefix",
    ),
]
Tags = Annotated[dict[TagKey, TagValue], Field(default_factory=dict, max_length=_MOST_TAGS)]


class Vpc(Section):
    """A network of one's own."""

    subnets: ListOf[SubnetId] = Field(min_length=1, max_length=16, examples=[["subnet-0a1b2c3d"]])
    """The ids of its subnets."""
    security_groups: ListOf[SecurityGroupId] = Field(
        min_length=1, max_length=5, examples=[["sg-0a1b2c3d"]]
    )
    """The ids of the security groups, which say what may reach what."""

    def as_request(self) -> dict[str, list[str]]:
        """The network as SageMaker's API has it."""
        return {"Subnets": list(self.subnets), "SecurityGroupIds": list(self.security_groups)}
