"""S3 that fails, refuses or is not there: nothing half is left, and errors say what to do."""

import logging
import os
import signal
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from factory.base.errors import TerminalError
from factory.lake.storage import files as files_module
from factory.lake.storage import object_store, progress
from factory.lake.storage.access import Access, current, missing_for, using
from factory.lake.storage.bucket import make_bucket
from factory.lake.storage.errors import (
    AccessDeniedError,
    MissingExtraError,
    NoBucketError,
    NoCredentialsError,
    StorageError,
)
from factory.lake.storage.files import PART_BYTES, Files
from tests.harness.s3 import ACCESS_KEY, BUCKET, REGION, SECRET_KEY, S3Server

TOKEN = "planted-session-token-0123456789"


@pytest.fixture(autouse=True)
def _impatient(monkeypatch):
    """Gives S3 up sooner than in production."""
    monkeypatch.setitem(object_store.RETRIES, "max_retries", 2)


@pytest.fixture
def files(s3: S3Server) -> Files:
    return Files.at(f"s3://{BUCKET}/lake")


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file that goes up in four parts."""
    file = tmp_path / "large"
    file.write_bytes(os.urandom(3 * PART_BYTES + 1))
    return file


def test_large_file_goes_up_in_parts_and_comes_back_whole(s3, files, large, tmp_path):
    files.upload(large, "large")
    files.download("large", tmp_path / "back")
    assert len([request for request in s3.requests if request.is_part]) == 4
    assert (tmp_path / "back").read_bytes() == large.read_bytes()


def test_progress_is_logged_every_ten_seconds(files, large, caplog, monkeypatch):
    assert progress.PROGRESS_SECONDS == 10
    now = iter(range(0, 10_000, 4))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    with caplog.at_level(logging.INFO):
        files.upload(large, "large")
    said = [record.message for record in caplog.records if record.name == progress.log.name]
    assert said
    assert all("uploading large to s3://lake/lake: " in line for line in said)
    assert any("of 25.2 MB" in line for line in said)


def test_upload_that_dies_in_the_middle_leaves_nothing(s3, files, large):
    s3.fail(lambda request: request.is_part and "partNumber=3" in request.query)
    with pytest.raises(StorageError, match=r"lake/large .*S3 failed \(InternalError\)") as caught:
        files.upload(large, "large")

    assert not isinstance(caught.value, TerminalError)
    assert s3.keys() == []
    assert s3.unfinished_uploads() == []
    s3.heal()
    files.upload(large, "large")
    assert s3.keys() == ["lake/large"]


def test_upload_that_fails_leaves_what_was_there(s3, files, large, tmp_path):
    old = tmp_path / "old"
    old.write_bytes(b"old")
    files.upload(old, "large")
    s3.fail(lambda request: request.method == "POST" and "uploadId" in request.query)
    with pytest.raises(StorageError):
        files.upload(large, "large")
    assert files.read("large") == b"old"
    assert s3.unfinished_uploads() == []


def test_upload_of_a_killed_process_is_never_seen(s3, files, large):
    code = f"""
        from pathlib import Path
        from factory.lake.storage.files import Files
        Files.at({files.address!r}).upload(Path({str(large)!r}), "large")
    """
    process = subprocess.Popen([sys.executable, "-c", textwrap.dedent(code)])
    # One part never gets through, so that it is killed while others have.
    s3.fail(lambda request: request.is_part and "partNumber=4" in request.query)
    while process.poll() is None and not any("partNumber=4" in r.query for r in list(s3.requests)):
        try:
            process.wait(timeout=0.05)
        except subprocess.TimeoutExpired:
            continue
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert s3.keys() == []
    assert not files.exists("large")


def test_upload_of_a_task_that_ran_out_of_time_is_thrown_away(s3, files, large, monkeypatch):
    class OutOfTimeError(Exception):
        pass

    def ring(*_: object) -> None:
        raise OutOfTimeError

    def never_ends(request) -> bool:
        if not (request.is_part and "partNumber=2" in request.query):
            return False
        # As Airflow ends a task: by a signal to its main thread.
        os.kill(os.getpid(), signal.SIGUSR1)
        return True

    monkeypatch.setattr(files_module, "_PARTS_AT_ONCE", 1)
    before = signal.signal(signal.SIGUSR1, ring)
    s3.fail(never_ends, times=1)
    try:
        with pytest.raises(OutOfTimeError):
            files.upload(large, "large")
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert s3.keys() == []
    assert s3.unfinished_uploads() == []


def test_hiccup_of_s3_is_got_over(s3, files, tmp_path):
    (tmp_path / "a").write_bytes(b"cat")
    s3.fail(lambda _: True, status="503 Slow Down", code="SlowDown", times=2)
    files.upload(tmp_path / "a", "a")
    assert files.read("a") == b"cat"


def test_download_that_fails_leaves_no_half_file(s3, files, large, tmp_path):
    files.upload(large, "large")
    s3.fail(lambda request: request.method == "GET")
    with pytest.raises(StorageError):
        files.download("large", tmp_path / "back" / "large")
    assert list((tmp_path / "back").iterdir()) == []


def test_wrong_key_names_the_bucket_and_not_the_key(s3, files, large):
    s3.known_keys = {"another"}
    for ask in (
        lambda: files.read("a"),
        lambda: files.upload(large, "a"),
        lambda: list(files.names()),
    ):
        with pytest.raises(AccessDeniedError) as caught:
            ask()
        assert isinstance(caught.value, TerminalError)
        message = str(caught.value)
        assert "bucket 'lake'" in message
        assert "correct them" in message
        assert ACCESS_KEY not in message
        assert SECRET_KEY not in message


def test_credentials_that_may_not_are_told_what_to_allow(s3, files):
    s3.fail(lambda _: True, status="403 Forbidden", code="AccessDenied")
    with pytest.raises(AccessDeniedError, match=r"s3:ListBucket on the bucket 'lake', and s3:Get"):
        files.read("a")


def test_temporary_credentials_that_ran_out_may_be_tried_again(s3, files):
    s3.fail(lambda _: True, status="400 Bad Request", code="ExpiredToken")
    with pytest.raises(StorageError, match="temporary and have run out") as caught:
        files.read("a")
    assert not isinstance(caught.value, TerminalError)


class Role:
    """An assumed role, whose credentials hold for an hour, and the time."""

    def __init__(self) -> None:
        self.now = datetime(2024, 6, 1, tzinfo=UTC)
        self.keys: list[str] = []
        self.ends = self.now

    def access(self, endpoint: str) -> Access:
        import boto3
        import botocore.session
        from botocore.credentials import RefreshableCredentials

        session = botocore.session.Session()
        session._credentials = RefreshableCredentials(
            None, None, None, self.now, self.assume, "assume-role", time_fetcher=lambda: self.now
        )
        return Access(boto3.Session(botocore_session=session, region_name=REGION), endpoint)

    def assume(self) -> dict[str, str]:
        self.keys.append(f"ASIAROLE{len(self.keys)}")
        self.ends = self.now + timedelta(hours=1)
        return {
            "access_key": self.keys[-1],
            "secret_key": SECRET_KEY,
            "token": TOKEN,
            "expiry_time": self.ends.isoformat(),
        }


def test_credentials_of_a_role_are_renewed_while_a_store_is_used(s3, large, monkeypatch):
    # Kept for no time, so that it asks at each request: its clock is that of the machine.
    monkeypatch.setattr(object_store, "_KEPT", timedelta(0))
    role = Role()
    with using(role.access(s3.endpoint)):
        files = Files.at(f"s3://{BUCKET}/lake")
        files.upload(large, "a")
        s3.known_keys = {"ASIAROLE1"}
        role.now += timedelta(minutes=59)
        assert files.read("a") == large.read_bytes()
    assert role.keys == ["ASIAROLE0", "ASIAROLE1"]


def test_no_credentials_of_a_role_are_kept_until_they_have_run_out(s3):
    role = Role()
    with using(role.access(s3.endpoint)):
        provider = object_store.S3(f"s3://{BUCKET}/lake").client().credential_provider
    for _ in range(120):
        given = provider()
        kept = given["expires_at"] - datetime.now(UTC)
        assert role.now + kept < role.ends
        role.now += timedelta(minutes=1)
    assert len(role.keys) == 3


def test_bucket_in_another_region_says_so(s3, files):
    s3.fail(
        lambda request: request.method == "GET",
        status="301 Moved Permanently",
        code="PermanentRedirect",
    )
    with pytest.raises(NoBucketError, match=rf"'lake' .*not in region '{REGION}'.*AWS_REGION"):
        files.read("a")


def test_missing_bucket_says_how_to_have_it_made(s3, large):
    with pytest.raises(NoBucketError, match=r"no bucket 'other'.*`create_bucket: true`"):
        Files.at("s3://other/lake").upload(large, "a")


def test_without_credentials_the_places_to_write_them_are_named(s3, files, monkeypatch):
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NoCredentialsError, match=r"`storage_connection`.*AWS_ACCESS_KEY_ID"):
        Files.at("s3://lake/a").read("b")


def test_server_that_does_not_answer_can_be_tried_again(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    with pytest.raises(StorageError, match=r"at http://127\.0\.0\.1:1") as caught:
        Files.at("s3://lake/a").read("b")
    assert not isinstance(caught.value, TerminalError)


def test_no_secret_is_shown_by_what_holds_it(s3, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    access = current()
    shown = f"{access!r} {access} {Files.at('s3://lake/a').__dict__!r}"
    for secret in (ACCESS_KEY, SECRET_KEY, TOKEN):
        assert secret not in shown
    assert access.without_secrets(f"<{SECRET_KEY}> {ACCESS_KEY} {TOKEN}") == "<***> *** ***"


def test_delta_and_boto3_get_the_same(s3, monkeypatch):
    monkeypatch.setenv("AWS_SESSION_TOKEN", TOKEN)
    options = current().delta_options()
    assert options["aws_access_key_id"] == ACCESS_KEY
    assert options["aws_secret_access_key"] == SECRET_KEY
    assert options["aws_session_token"] == TOKEN
    assert options["aws_region"] == REGION
    assert options["aws_endpoint"] == s3.endpoint
    assert options["aws_allow_http"] == "true"
    client = current().client()
    assert client.meta.endpoint_url == s3.endpoint
    assert client.meta.region_name == REGION


def test_plain_http_is_allowed_to_no_other_endpoint(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "https://minio.example.org")
    assert current().delta_options()["aws_allow_http"] == "false"
    monkeypatch.delenv("AWS_ENDPOINT_URL")
    assert "aws_allow_http" not in current().delta_options()


def test_endpoint_of_s3_alone_wins_over_that_of_all_services(s3, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://minio.example.org")
    assert current().endpoint == "https://minio.example.org"


def test_region_has_a_default(s3, monkeypatch):
    monkeypatch.delenv("AWS_REGION")
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert current().region == "us-east-1"


def test_what_is_said_last_holds_until_its_block_ends(s3):
    said = Access(current().session, "http://elsewhere")
    with using(said), ThreadPoolExecutor(1) as pool:
        assert pool.submit(current).result() is said
    assert current().endpoint == s3.endpoint


def test_process_that_is_started_can_be_given_the_same(s3):
    variables = current().variables()
    assert variables["AWS_ACCESS_KEY_ID"] == ACCESS_KEY
    assert variables["AWS_SECRET_ACCESS_KEY"] == SECRET_KEY
    assert variables["AWS_ENDPOINT_URL_S3"] == s3.endpoint


def test_bucket_is_made_once_private_and_tidy(s3):
    assert make_bucket("s3://brand-new/lake/a")
    assert not make_bucket("s3://brand-new/lake/a")

    client = s3.client()
    found = client.get_bucket_location(Bucket="brand-new")
    assert found["LocationConstraint"] == REGION
    block = client.get_public_access_block(Bucket="brand-new")["PublicAccessBlockConfiguration"]
    assert all(block.values())
    [rule] = client.get_bucket_lifecycle_configuration(Bucket="brand-new")["Rules"]
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def test_bucket_in_amazons_first_region_is_made_without_naming_it(s3, monkeypatch):
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    assert make_bucket("s3://brand-new")


def test_bucket_that_another_run_makes_at_the_same_time_is_there(s3):
    s3.fail(
        lambda request: request.method == "PUT" and request.path == "/brand-new",
        status="409 Conflict",
        code="BucketAlreadyOwnedByYou",
    )
    assert not make_bucket("s3://brand-new")


def test_name_of_somebody_elses_bucket_is_refused(s3):
    s3.fail(
        lambda request: request.method == "PUT" and request.path == "/brand-new",
        status="409 Conflict",
        code="BucketAlreadyExists",
    )
    with pytest.raises(NoBucketError, match="belongs to somebody else"):
        make_bucket("s3://brand-new")


def test_server_that_speaks_only_part_of_s3_still_gets_its_bucket(s3, caplog):
    s3.fail(
        lambda request: "publicAccessBlock" in request.query or "lifecycle" in request.query,
        status="501 Not Implemented",
        code="NotImplemented",
    )
    assert make_bucket("s3://brand-new")
    assert "brand-new" in caplog.text


def test_missing_extra_names_what_to_install(s3, monkeypatch):
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(MissingExtraError, match=r'pip install "ml-dag-factory\[aws\]"'):
        Files.at("s3://lake/a")
    monkeypatch.setattr("factory.lake.storage.access.find_spec", lambda _: None)
    assert "extra `aws`" in missing_for("s3://lake/a", None)
    assert missing_for("file:///lake", None) is None
