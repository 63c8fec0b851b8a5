"""What AWS says becomes an error that tells whether to try again, and never holds a key."""

import pytest

from factory.base.aws import AwsClients, AwsError, AwsRefusedError, calling, cause_of, described


def client_error(code, message="No."):
    from botocore.exceptions import ClientError

    return ClientError({"Error": {"Code": code, "Message": message}}, "DoThings")


def raised(error, **options):
    with pytest.raises(AwsError) as found, calling("do things", **options):
        raise error
    return found.value


@pytest.mark.parametrize(
    ("code", "words", "terminal"),
    [
        ("InvalidClientTokenId", "does not know the credentials", True),
        ("ExpiredToken", "have run out: try again", False),
        ("AccessDeniedException", "allow it to their role", True),
        ("ThrottlingException", "asked too often", False),
        ("ValidationException", "No", True),
        ("InternalFailure", "No", False),
    ],
)
def test_code_tells_what_to_do_and_whether_to_try_again(code, words, terminal):
    found = raised(client_error(code))
    assert str(found).startswith("could not do things: ")
    assert words in str(found)
    assert code in str(found)
    assert isinstance(found, AwsRefusedError) is terminal


def test_room_adds_a_hint_and_says_what_is_final_for_it():
    hints = {"QuotaExceeded": "raise the quota", "throttled": "ask less often"}
    assert "; raise the quota" in str(raised(client_error("QuotaExceeded"), hints=hints))
    assert "; ask less often" in str(raised(client_error("Throttling"), hints=hints))
    final = raised(client_error("QuotaExceeded"), hints=hints, final=hints)
    assert isinstance(final, AwsRefusedError)


def test_error_that_is_all_right_ends_the_block_without_one():
    with calling("do things", ignored=("ResourceInUse",)):
        raise client_error("ResourceInUse")


def test_no_key_gets_into_a_message():
    key = "AKIAIOSFODNN7EXAMPLE"
    assert key not in str(raised(client_error("AccessDenied", f"User {key} may not")))
    signed = "the signature of secret-of-mine does not match"
    assert "secret-of-mine" not in str(raised(client_error("SignatureDoesNotMatch", signed)))


def test_missing_credentials_are_named_with_what_gives_some():
    from botocore.exceptions import NoCredentialsError

    found = raised(NoCredentialsError())
    assert isinstance(found, AwsRefusedError)
    assert "AWS_* variables" in str(found)


def test_what_is_not_there_is_none_and_other_refusals_are_errors():
    def missing(**_):
        raise client_error("ValidationException", "Could not find model x")

    def wrong(**_):
        raise client_error("ValidationException", "1 validation error detected")

    assert described("look", missing, {"Name": "x"}) is None
    with pytest.raises(AwsRefusedError):
        described("look", wrong, {"Name": "x"})


def test_codes_of_s3_and_of_other_services_have_the_same_causes():
    assert cause_of("InvalidAccessKeyId") == cause_of("UnrecognizedClientException")
    assert cause_of("403") == cause_of("UnauthorizedOperation") == "denied"
    assert cause_of("NoSuchBucket") is None


def test_client_is_made_once():
    import boto3

    clients = AwsClients(lambda _: boto3.Session("a", "b", region_name="eu-central-1"))
    assert clients.get("s3") is clients.get("s3")
    assert clients.get("s3", region="us-west-2").meta.region_name == "us-west-2"
