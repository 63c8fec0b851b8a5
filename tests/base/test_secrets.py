"""What counts as a secret, and that none is shown."""

import json
from base64 import b64encode, urlsafe_b64encode
from html import escape
from urllib.parse import quote, quote_plus

import pytest

from factory.base.secrets import (
    is_secret_address,
    secrets_held,
    secrets_in,
    secrets_of_address,
    secrets_of_environment,
    spellings,
    without_secrets,
)

PASSWORD = "pa ss/w'o\"r+d&<é\\"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("url: https://me:hunter2@example.org/x", "url: https://**********@example.org/x"),
        ("password: hunter2", "password: *******"),
        ("{aws_secret_key: 'abc', b: 1}", "{aws_secret_key: *****, b: 1}"),
        ("api-key: x y", "api-key: x y"),
        ("apikey: x y", "apikey: ***"),
        ("tokens: x, tokenizer: data/m", "tokens: *, tokenizer: data/m"),
        ("owner: me@example.org", "owner: me@example.org"),
    ],
)
def test_secrets_are_not_shown(text: str, shown: str) -> None:
    assert without_secrets(text) == shown


@pytest.mark.parametrize(
    "url",
    [
        "https://me@example.org",
        "https://example.org/?api_key=x",
        "https://example.org/?X-Amz-Signature=x",
        "https://discord.com/api/webhooks/1/x",
    ],
)
def test_address_that_is_a_secret_is_known(url):
    assert is_secret_address(url)


@pytest.mark.parametrize("url", ["https://example.org/hook", "https://example.org/?team=token"])
def test_address_that_is_none_passes(url):
    assert not is_secret_address(url)


def test_secrets_in_arguments_are_found_by_key_and_by_content():
    arguments = {"channel": "#ops", "auth": {"bot_token": "x"}, "to": ["https://a:b@example.org"]}
    assert list(secrets_in(arguments)) == [("auth", "bot_token"), ("to", 0)]


@pytest.mark.parametrize(
    "written",
    [
        PASSWORD,
        quote(PASSWORD),
        quote(PASSWORD, safe=""),
        quote_plus(PASSWORD),
        json.dumps(PASSWORD),
        json.dumps({"a": PASSWORD}, ensure_ascii=False),
        repr(PASSWORD),
        escape(PASSWORD),
        PASSWORD.replace("'", "''"),
    ],
)
def test_a_secret_is_known_in_every_way_that_it_is_written(written):
    assert any(each in written for each in spellings(PASSWORD))


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
@pytest.mark.parametrize("login", ["", "a", "ab", "abc", "reader"])
def test_nearly_all_of_a_login_in_base64_is_known(encode, login):
    written = encode(f"{login}:{PASSWORD}".encode()).decode()
    known = max((each for each in spellings(PASSWORD) if each in written), key=len)
    # What depends on the characters around is left: less than two characters at each end.
    assert len(known) >= len(PASSWORD.encode()) * 8 // 6 - 4


def test_secrets_in_an_extra_are_found_by_key_header_address_and_length():
    extra = {
        "api_token": "short",
        "account_key": "k",
        "nested": {"keyfile_dict": json.dumps({"private_key": "----"})},
        "headers": {
            "X-Any": "h",
            "Authorization": "Bearer b",
            "Accept": "application/json, text/csv",
        },
        "endpoint": "https://me:in-address@example.org/v1",
        "config": [{"path": "slack://1234567890abcdef/x"}],
        "conn_str": "Endpoint=https;AccountKey=abcdefghijklmnop==;Password=p",
        "whatever": "0123456789abcdef",
        "region_name": "ap-southeast-1",
        "role_arn": "arn:aws:iam::123456789012:role/lake",
        "endpoint_url": "http://minio.internal:9000",
        "from_email": "factory@example.org",
        "sslmode": "verify-full",
        "retries": 3,
        "use_tls": True,
    }
    assert set(secrets_held(extra)) == {
        *("short", "k", "----", "h", "Bearer b", "b", "in-address", "1234567890abcdef"),
        *("abcdefghijklmnop==", "p", "0123456789abcdef", extra["conn_str"]),
    }


def test_what_airflow_takes_for_one_secret_is_looked_into():
    extra = json.dumps({"token": "a/secret", "region_name": "eu-central-1"})
    found = set(spellings(extra))
    assert {"a/secret", "a%2Fsecret"} <= found
    assert "eu-central-1" not in found


def test_lines_of_a_key_are_secrets_each():
    assert "MIIEvQIBADANBgkqhkiG" in set(spellings("--- KEY\nMIIEvQIBADANBgkqhkiG\n---"))


@pytest.mark.parametrize(
    ("address", "secrets"),
    [
        ("https://me:a%2Fb@example.org/x", {"a%2Fb", "a/b"}),
        ("https://hooks.example.org/T01/0123456789abcdef", {"0123456789abcdef"}),
        ("hooks.example.org/0123456789abcdef?sig=s", {"0123456789abcdef", "s"}),
        ("db.internal", set()),
        ("http://[broken/0123456789abcdef", {"http://[broken/0123456789abcdef"}),
    ],
)
def test_secrets_of_an_address_are_its_login_and_what_may_be_a_token(address, secrets):
    assert set(secrets_of_address(address)) == secrets


def test_secrets_of_the_environment_are_found_by_name_and_in_addresses():
    variables = {
        "FACTORY_SIGNING_KEY": "sign",
        "AWS_SECRET_ACCESS_KEY": "aws",
        "AIRFLOW__CORE__FERNET_KEY": "fernet",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": "postgresql://airflow:db@host/airflow",
        "MLFLOW_TRACKING_PASSWORD": "ml",
        "MLFLOW_TRACKING_URI": "http://mlflow:5000",
        "AIRFLOW_CONN_A": '{"host": "http://a:b@c"}',
        "HOME": "/home/a",
    }
    assert set(secrets_of_environment(variables)) == {"sign", "aws", "fernet", "db", "ml"}
