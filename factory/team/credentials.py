"""What must not stand in a team file: passwords, tokens, and addresses that are secrets themselves."""

import re
from collections.abc import Iterator, Mapping
from urllib.parse import parse_qsl, urlsplit

from factory.team.problems import SECRET_ADDRESSES
from factory.team.yaml_tree import KeyPath

_NAMES = re.compile(
    r"(?i)^(?:.*_)?(?:passw(?:or)?d|pwd|secret|token|credentials?|(?:api|access|private)_?key"
    r"|auth|authorization|sig|signature)$"
)


def is_secret_address(url: str) -> bool:
    """Whether who knows the address may use it: it holds a login, a token, or is a chat's webhook."""
    parts = urlsplit(url)
    if parts.username or parts.password or SECRET_ADDRESSES.search(url):
        return True
    return any(_is_secret(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True))


def secrets_in(arguments: object) -> Iterator[KeyPath]:
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
