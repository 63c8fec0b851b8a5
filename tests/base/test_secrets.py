"""What counts as a secret, and that none is shown."""

import pytest

from factory.base.secrets import is_secret_address, secrets_in, without_secrets


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("url: https://me:hunter2@example.org/x", "url: https://**********@example.org/x"),
        ("password: hunter2", "password: *******"),
        ("{aws_secret_key: 'abc', b: 1}", "{aws_secret_key: *****, b: 1}"),
        ("api-key: x y", "api-key: x y"),
        ("apikey: x y", "apikey: ***"),
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
