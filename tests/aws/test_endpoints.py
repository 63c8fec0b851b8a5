"""The target `sagemaker`, over HTTP: endpoints that really serve the model."""

import json
import threading

import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.deploy.targets.sagemaker_endpoint import EndpointError
from factory.deploy.targets.target import PredictionRequest, plain_name
from factory.models.files import downloaded, read_example
from tests.deploy.placed import placed, target_of
from tests.deploy.released import model_folder, release, tracking
from tests.harness.aws.endpoints import Endpoints

__all__ = ["model_folder", "release", "tracking"]

ROLE = "arn:aws:iam::123456789012:role/serving"
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/serving:1"
NAME = "ecology-species"
ROW = {
    "island": "Torgersen",
    "bill_length_mm": 39.1,
    "bill_depth_mm": 18.7,
    "flipper_length_mm": 181.0,
    "body_mass_g": 3750.0,
    "sex": "male",
    "year": 2007,
}


def section(**changes):
    found = {
        "type": "sagemaker",
        "role": ROLE,
        "image": IMAGE,
        "instance_type": "ml.m5.large",
        "storage": "s3://lake/models",
        **changes,
    }
    return target_of(found)


@pytest.fixture
def endpoints(aws, monkeypatch):
    """The server's endpoints, which are asked often how they are getting on."""
    monkeypatch.setattr("factory.deploy.targets.sagemaker_endpoint.POLL", 0.2)
    (found,) = [service for service in aws.services if isinstance(service, Endpoints)]
    return found


@pytest.fixture
def target(endpoints, tracking):
    return make(tracking)


def make(tracking, **changes):
    return placed(section(**changes), tracking)


@pytest.fixture
def built(target, release, tmp_path):
    return target.make(release, tmp_path / "build")


def test_the_archive_lies_in_s3_and_is_the_same_every_time(aws, target, release, built, tmp_path):
    puts = len([one for one in aws.requests if one.method in ("PUT", "POST")])
    again = target.make(release, tmp_path / "again")
    assert again == built
    assert len([one for one in aws.requests if one.method in ("PUT", "POST")]) == puts
    assert built.reference.startswith("s3://lake/models/_deployments/ecology.species/1-")
    assert [built.reference.removeprefix("s3://lake/")] == aws.keys("models/_deployments/")


def test_an_endpoint_is_created_and_really_predicts(aws, endpoints, target, release, built):
    deployed = target.deploy(release, built)
    assert deployed.address == f"sagemaker:eu-central-1/{NAME}"
    assert target.running(release.model) == deployed

    rows = _example(release, target)
    answer = target.predict(
        deployed, PredictionRequest(json.dumps({"rows": rows}).encode(), "application/json")
    )
    assert answer.version == release.version
    assert len(answer.values) == len(rows)
    assert set(answer.values) <= {"Adelie", "Chinstrap", "Gentoo"}

    with pytest.raises(TerminalError, match="refuses what it was asked, with 422"):
        target.predict(deployed, PredictionRequest(b'{"rows": [{}]}', "application/json"))

    aws.called.clear()
    assert target.deploy(release, built) == deployed
    assert not {"CreateEndpoint", "UpdateEndpoint", "CreateModel"} & set(aws.called)

    target.restore(release, None)
    target.restore(release, None)
    assert endpoints.endpoints == {}
    assert endpoints.processes == []


def _example(release, target):
    """Rows of the version's own input example."""
    import mlflow

    mlflow.set_tracking_uri(target.context.tracking.uri)
    with downloaded(release.uri) as folder:
        example = read_example(folder)
    return json.loads(example.head(3).to_json(orient="records"))


def test_an_update_is_blue_green_and_restore_brings_the_configuration_back(
    endpoints, target, release, built, tracking
):
    endpoints.start = _at_once
    target.deploy(release, built)
    before = target.running(release.model)
    canary = make(
        tracking,
        instances=2,
        rollout={"strategy": "canary", "percent": 10, "alarms": ["errors"]},
    )
    after = canary.deploy(release, built)
    assert after.details["config"] != before.details["config"]
    sent = endpoints.endpoints[NAME].last_deployment
    routing = sent["BlueGreenUpdatePolicy"]["TrafficRoutingConfiguration"]
    assert routing["CanarySize"] == {"Type": "CAPACITY_PERCENT", "Value": 10}
    assert sent["AutoRollbackConfiguration"] == {"Alarms": [{"AlarmName": "errors"}]}

    canary.restore(release, before)
    canary.restore(release, before)
    assert target.running(release.model) == before


def test_a_new_version_that_is_not_well_is_reported_although_sagemaker_went_back(
    aws, endpoints, target, release, built
):
    really, endpoints.start = endpoints.start, _at_once
    good = target.deploy(release, built)
    endpoints.start = really
    worse = release.model_copy(update={"version": 2})
    with pytest.raises(EndpointError, match="taken the endpoint ecology-species back to") as failed:
        target.deploy(worse, _broken(aws, built))
    assert "did not pass the ping health check" in str(failed.value)
    assert target.running(release.model) == good


def test_a_first_version_that_is_not_well_is_replaced_by_the_next_try(
    endpoints, target, release, built
):
    endpoints.start = _never
    with pytest.raises(EndpointError, match="is Failed"):
        target.deploy(release, built)
    assert target.running(release.model) is None
    endpoints.start = _at_once
    assert target.deploy(release, built).version == release.version


def _broken(aws, built):
    """An archive that holds no model."""
    import io
    import tarfile

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("nothing"))
    aws.client().put_object(Bucket="lake", Key="models/broken/model.tar.gz", Body=packed.getvalue())
    return built.model_copy(update={"reference": "s3://lake/models/broken/model.tar.gz"})


def test_earlier_configurations_go_with_their_models_and_archives(
    aws, endpoints, release, built, tracking
):
    endpoints.start = _at_once
    for count in (1, 2, 3, 4):
        # One model, of which all configurations are: it stays.
        target = make(tracking, keep=1, instances=count)
        target.deploy(release, built)
    client = aws.session("sagemaker")
    assert len(client.list_endpoint_configs()["EndpointConfigs"]) == 3
    assert len(client.list_models()["Models"]) == 1

    aws.client().copy_object(
        Bucket="lake",
        CopySource=built.reference.removeprefix("s3://"),
        Key="models/_deployments/ecology.species/2-0/model.tar.gz",
    )
    other = built.model_copy(
        update={"reference": "s3://lake/models/_deployments/ecology.species/2-0/model.tar.gz"}
    )
    for count in (5, 6, 7):
        make(tracking, keep=1, instances=count).deploy(
            release.model_copy(update={"version": 2}), other
        )
    assert len(client.list_models()["Models"]) == 1
    assert aws.keys("models/_deployments/") == [other.reference.removeprefix("s3://lake/")]


def _at_once(_config):
    """In service without a process: where a test is not about what the endpoint answers."""
    return None, 1


def _never(_config):
    return None


def test_throttling_is_waited_out(aws, endpoints, target, release, built):
    endpoints.start = _at_once
    aws.throttle("CreateEndpoint", 2)
    assert target.deploy(release, built).version == release.version
    assert aws.called.count("CreateEndpoint") == 3


def test_an_endpoint_that_is_on_its_way_is_awaited_before_it_is_updated(
    aws, endpoints, target, release, built
):
    endpoints.start = _at_once
    target.deploy(release, built)
    endpoints.endpoints[NAME].status = "Updating"
    timer = threading.Timer(1.0, lambda: setattr(endpoints.endpoints[NAME], "status", "InService"))
    timer.start()
    other = make(target.context.tracking, instances=2)
    assert other.deploy(release, built).version == release.version


def test_an_endpoint_that_never_settles_is_no_success(endpoints, release, built, tracking):
    endpoints.hold.clear()
    with pytest.raises(FactoryError, match="still Creating after 1 seconds") as failed:
        make(tracking, timeout="1s").deploy(release, built)
    assert not isinstance(failed.value, TerminalError)


def test_another_ones_endpoint_is_left_alone(aws, endpoints, target, release, built):
    endpoints.start = _at_once
    client = aws.session("sagemaker")
    client.create_model(
        ModelName="theirs", ExecutionRoleArn=ROLE, PrimaryContainer={"Image": IMAGE}
    )
    variant = {"VariantName": "a", "ModelName": "theirs", "InitialInstanceCount": 1}
    client.create_endpoint_config(
        EndpointConfigName="theirs",
        ProductionVariants=[{**variant, "InstanceType": "ml.m5.large"}],
    )
    client.create_endpoint(EndpointName=NAME, EndpointConfigName="theirs")
    for act in (lambda: target.running(release.model), lambda: target.deploy(release, built)):
        with pytest.raises(TerminalError, match="is not the factory's"):
            act()
    assert endpoints.endpoints[NAME].config == "theirs"


def test_names_follow_from_the_content(release):
    first = section().model_request(release, image=IMAGE, archive="s3://b/a.tar.gz")
    same = section().model_request(release, image=IMAGE, archive="s3://b/a.tar.gz")
    other = section().model_request(release, image=IMAGE, archive="s3://b/c.tar.gz")
    assert first["ModelName"] == same["ModelName"] != other["ModelName"]


def test_requests_that_sagemaker_would_refuse_are_not_sent(release):
    with pytest.raises(TerminalError, match=r"must end with \.tar\.gz"):
        section().model_request(release, image=IMAGE, archive="s3://b/a.zip")
    with pytest.raises(TerminalError, match="images of Amazon's registry"):
        section().model_request(release, image="python:3.11", archive="s3://b/a.tar.gz")
    with pytest.raises(TerminalError, match="InstanceType"):
        section(instance_type="ml.none.large").config_request(release, "m")


def test_names_of_long_models_stay_within_sagemakers_limits(release):
    long = release.model_copy(update={"model": f"{'a' * 60}.{'b' * 60}", "version": 123456})
    request = section().model_request(long, image=IMAGE, archive="s3://b/a.tar.gz")
    config = section().config_request(long, request["ModelName"])
    names = [request["ModelName"], config["EndpointConfigName"], plain_name(long.model)]
    assert all(len(name) <= 63 for name in names)
    section().update_request(long.model, config["EndpointConfigName"])


def test_archives_need_s3(release, tracking, tmp_path):
    target = placed(section(storage=None), tracking)
    with pytest.raises(TerminalError, match="storage: s3://"):
        target.make(release, tmp_path)
