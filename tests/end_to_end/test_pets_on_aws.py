"""The pet detector in its environment `aws`, against a test server that does what AWS would do.

The lake, MLflow's artifacts and the jobs' models lie in S3 (moto over HTTP); training jobs run
`factory-train`, and the endpoint runs `factory serve`, each as processes of this machine.
"""

import io
import json
import shutil
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from factory.scenarios.pets import photos
from factory.scenarios.pets.story import (
    CAT,
    DEPLOY,
    PHOTOS,
    TRAIN,
    bring_photos,
    write_cat,
)
from factory.scenarios.story import Chapter, Story
from tests.harness import stories
from tests.harness.aws.endpoints import Endpoints
from tests.harness.aws.server import AwsServer, running_aws
from tests.harness.aws.training_jobs import TrainingJobs
from tests.harness.project import REPOSITORY
from tests.harness.stories import Told

EACH = 150
BUCKET = "pets-lake"
ARTIFACTS = "pets-artifacts"

pytestmark = [
    pytest.mark.timeout(1500),
    pytest.mark.skipif(shutil.which("npm") is None, reason="no npm, which brings the photos"),
]


@dataclass(frozen=True)
class Site:
    """The installation after the story, and its AWS."""

    told: Told
    aws: AwsServer

    @property
    def training(self) -> TrainingJobs:
        (found,) = [each for each in self.aws.services if isinstance(each, TrainingJobs)]
        return found

    @property
    def endpoints(self) -> Endpoints:
        (found,) = [each for each in self.aws.services if isinstance(each, Endpoints)]
        return found

    def objects(self, bucket: str, prefix: str = "") -> dict[str, bytes]:
        """What lies in a bucket, read apart from the code under test."""
        s3 = self.aws.session("s3")
        found: dict[str, bytes] = {}
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                body = s3.get_object(Bucket=bucket, Key=entry["Key"])["Body"].read()
                found[entry["Key"]] = body
        return found


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    archive = photos.fetch(REPOSITORY / ".factory" / "downloads")
    chapter = Chapter(
        "Photos arrive.",
        lambda data: bring_photos(archive, data, each=EACH),
        "photos",
        PHOTOS,
        frozenset({PHOTOS, TRAIN, DEPLOY}),
    )
    pets = Story((chapter,), prepare=write_cat)
    with running_aws(tmp_path_factory.mktemp("aws")) as aws:
        aws.make_bucket(ARTIFACTS)
        environment = {
            **aws.variables(),
            "FACTORY_ENVIRONMENT": "aws",
            "FACTORY_ARTIFACTS": f"s3://{ARTIFACTS}/mlflow",
        }
        project = tmp_path_factory.mktemp("pets")
        with stories.told(project, "pets", pets, environment=environment, seconds=900) as told:
            yield Site(told, aws)


def test_the_same_team_file_trains_and_deploys_on_aws(site: Site):
    assert not site.told.failed, site.told.text
    states = {run.dag_id: run.state for run in site.told.airflow.runs()}
    assert states == {PHOTOS: "success", TRAIN: "success", DEPLOY: "success"}


def test_s3_holds_the_photos_by_their_content(site: Site):
    held = site.objects(BUCKET, "lake/pets/_files/")
    brought = {file.read_bytes() for file in (site.told.project / "data" / "photos").rglob("*.png")}
    assert set(held.values()) == brought


def test_each_trial_was_a_training_job_that_really_ran(site: Site):
    registered = site.told.result_of(TRAIN, "register")
    jobs = site.training.jobs
    assert registered["trials"] == len(jobs) == 2
    spent = site.told.result_of(TRAIN, "stop_training")
    assert spent["jobs"] == 2
    assert 0 < spent["cost_usd"] < 2


def test_the_weights_that_a_job_left_in_s3_are_those_in_mlflow(site: Site):
    import safetensors.torch

    trained = []
    for name, body in site.objects(BUCKET).items():
        if name.endswith("/model.tar.gz") and "/_training/" in name:
            with tarfile.open(fileobj=io.BytesIO(body)) as archive:
                (weights,) = [m for m in archive.getmembers() if m.name.endswith(".safetensors")]
                found = archive.extractfile(weights)
                assert found is not None
                trained.append(safetensors.torch.load(found.read()))
    (registered,) = [
        safetensors.torch.load(body)
        for name, body in site.objects(ARTIFACTS).items()
        if name.endswith("weights.safetensors")
    ]
    same = [
        job
        for job in trained
        if job.keys() == registered.keys()
        and all(tensor.equal(registered[name]) for name, tensor in job.items())
    ]
    assert len(trained) == 2
    assert len(same) == 1


def test_the_endpoint_answers_that_a_cat_is_a_cat(site: Site):
    (name,) = site.endpoints.endpoints
    answer = site.aws.session("sagemaker-runtime").invoke_endpoint(
        EndpointName=name,
        ContentType="image/png",
        Body=(site.told.project / CAT).read_bytes(),
    )
    assert json.loads(answer["Body"].read())["label"] == "cat"


def test_nothing_of_the_training_is_left_running(site: Site):
    assert site.training.active == []
    listed = site.aws.session("sagemaker").list_training_jobs()["TrainingJobSummaries"]
    assert [job["TrainingJobStatus"] for job in listed] == ["Completed", "Completed"]
