"""Secrets: what they look like, in team files, in texts for people and in arguments.

A team file is no place for passwords, tokens, and addresses that let everybody in who knows them.
"""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

_SECRET_ADDRESSES = re.compile(
    r"(?i)(?:hooks\.slack\.com|discord(?:app)?\.com/api/webhooks|\.webhook\.office\.com"
    r"|chat\.googleapis\.com)/(?P<secret>[^\s\"',}\]]+)"
)
"""Addresses of chats that let everybody write who knows them."""

# What follows such a key, and the password in an address, is shown as asterisks: problems are
# printed in logs and in Airflow's import errors.
_SECRETS = (
    re.compile(r"(?<=://)[^/\s@]+(?=@)"),
    _SECRET_ADDRESSES,
    re.compile(
        r"(?i)(?:passw(?:or)?d|secret|token|api_?key|access_?key|private_?key|credential)\w*"
        r"[\"']?\s*[:=]\s*(?P<secret>[^\s,}\]][^,}\]]*)"
    ),
)

_NAMES = re.compile(
    r"(?i)^(?:.*_)?(?:passw(?:or)?d|pwd|secret|token|credentials?|(?:api|access|private)_?key"
    r"|auth|authorization|sig|signature)$"
)


def is_secret_address(url: str) -> bool:
    """Whether who knows the address may use it: it holds a login, a token, or is a chat's webhook."""
    parts = urlsplit(url)
    if parts.username or parts.password or _SECRET_ADDRESSES.search(url):
        return True
    return any(_is_secret(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True))


def secrets_in(arguments: object) -> Iterator[tuple[str | int, ...]]:
    """Where arguments hold secrets: keys that are called so, and addresses that are secrets."""
    if isinstance(arguments, Mapping):
        for key, value in arguments.items():
            if isinstance(value, (str, int)) and _is_secret(str(key)):
                yield (key,)
            else:
                yield from ((key, *path) for path in secrets_in(value))
    elif isinstance(arguments, (list, tuple)):
        for index, value in enumerate(arguments):
            yield from ((index, *path) for path in secrets_in(value))
    elif isinstance(arguments, str) and "://" in arguments and is_secret_address(arguments):
        yield ()


def _is_secret(name: str) -> bool:
    return _NAMES.fullmatch(name.replace("-", "_")) is not None


def without_secrets(text: str) -> str:
    """The text with whatever looks like a secret replaced by as many asterisks."""
    for pattern in _SECRETS:
        text = pattern.sub(_hide, text)
    return text


def _hide(match: re.Match[str]) -> str:
    group = "secret" if "secret" in match.re.groupindex else 0
    start, end = match.start(group) - match.start(), match.end(group) - match.start()
    return match[0][:start] + "*" * (end - start) + match[0][end:]
