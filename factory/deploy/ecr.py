"""Amazon's registry of container images: which host is one, its login, and what it holds already."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from factory.base.aws import calling
from factory.base.files import TEMPORARY

_HOST = re.compile(
    r"(?P<account>\d{12})\.dkr[.-]ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.(?:amazonaws\.com(?:\.cn)?|on\.aws)"
)


@dataclass(frozen=True)
class EcrRegistry:
    """A registry of one account in one region."""

    host: str
    account: str
    region: str

    @classmethod
    def of(cls, repository: str) -> "EcrRegistry | None":
        """The one that a repository lies in; None where that is not Amazon's."""
        host = repository.partition("/")[0]
        match = _HOST.fullmatch(host)
        return cls(host, match["account"], match["region"]) if match else None

    def digest_of(self, reference: str, client: Any) -> str | None:
        """The digest of a container image by its tag; None if it is not there.

        Args:
            reference: Its name with its tag.
            client: A client of `ecr` in the registry's region.

        Raises:
            TerminalError: There is no such repository, or it may not be looked into.
            AwsError: The registry does not answer.
        """
        name, _, tag = reference.partition("/")[2].rpartition(":")
        hint = (
            f"create it once: aws ecr create-repository --repository-name {name} --region "
            f"{self.region} --image-tag-mutability IMMUTABLE"
        )
        hints = {"RepositoryNotFoundException": hint}
        with calling(f"look into {self.host}/{name}", hints=hints, final=hints):
            try:
                found = client.describe_images(
                    registryId=self.account, repositoryName=name, imageIds=[{"imageTag": tag}]
                )
            except client.exceptions.ImageNotFoundException:
                return None
        return str(found["imageDetails"][0]["imageDigest"])

    @contextmanager
    def login(self, client: Any) -> Iterator[Path]:
        """A folder with Docker's `config.json` that logs in here; it is gone afterwards.

        The password, good for twelve hours, is on no command line and in no log.

        Raises:
            TerminalError: The credentials may not log in.
            AwsError: The registry does not answer.
        """
        with calling(f"log in to {self.host}"):
            found = client.get_authorization_token()
        token = str(found["authorizationData"][0]["authorizationToken"])
        # Made so that nobody else may look inside.
        with TemporaryDirectory(prefix=TEMPORARY) as folder:
            config = Path(folder) / "config.json"
            config.touch(mode=0o600)
            config.write_text(json.dumps({"auths": {self.host: {"auth": token}}}))
            yield Path(folder)
