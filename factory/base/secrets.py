"""Secrets: what they look like, in team files, in connections, in texts for people and in arguments.

A team file is no place for passwords, tokens, and addresses that let everybody in who knows them.
What Airflow's connections hold is no matter for logs: `spellings` tells Airflow what to look for there.
"""

import json
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import parse_qsl, quote, quote_plus, unquote, urlsplit

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
        r"(?i)(?:passw(?:or)?d|secret|token(?!izer)|api_?key|access_?key|private_?key|credential)\w*"
        r"[\"']?\s*[:=]\s*(?P<secret>[^\s,}\]][^,}\]]*)"
    ),
)

_NAMES = re.compile(
    r"(?i)^(?:.*_)?(?:passw(?:or)?d|passphrase|pwd|secret|token|credentials?|cookie|auth|authorization"
    r"|(?:api|access|account|fernet|private|secret|signing)_?key|sig|signature)$"
)

_LONG = 16
"""Characters from which a text of a connection's extra may be a token, whatever it is called."""
_PLAIN_HEADERS = re.compile(r"(?i)accept(?:-.*)?|content-.*|user-agent|host")
"""Headers of HTTP that are no secrets; any other may be."""
_PAIR = re.compile(r"([\w.-]+)=([^;&\s]+)")
"""Part of a text such as `Server=here;Password=…`, or `-c option=value`."""
_PUBLIC = re.compile(r"arn:|[\w.+-]+@[\w.-]+$")
"""Names of AWS and addresses of mail, which are long and no secrets."""


def is_secret_address(url: str) -> bool:
    """Whether who knows the address may use it: it holds a login, a token, or is a chat's webhook."""
    parts = urlsplit(url)
    if parts.username or parts.password or _SECRET_ADDRESSES.search(url):
        return True
    return any(is_secret_name(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True))


def secrets_in(arguments: object) -> Iterator[tuple[str | int, ...]]:
    """Where arguments hold secrets: keys that are called so, and addresses that are secrets."""
    if isinstance(arguments, Mapping):
        for key, value in arguments.items():
            if isinstance(value, (str, int)) and is_secret_name(str(key)):
                yield (key,)
            else:
                yield from ((key, *path) for path in secrets_in(value))
    elif isinstance(arguments, (list, tuple)):
        for index, value in enumerate(arguments):
            yield from ((index, *path) for path in secrets_in(value))
    elif isinstance(arguments, str) and "://" in arguments and is_secret_address(arguments):
        yield ()


_LOGIN = re.compile(r"[a-z][\w+.-]*://[^/\s:@\"'{}]*:[^/\s@\"']+@", re.IGNORECASE)
_PASSWORD = re.compile(
    r"(?:^|[\s;?&])(?:passw(?:or)?d|pwd|accountkey|sharedaccesskey)=[^\s;&$]", re.IGNORECASE
)
"""Of a text such as `host=db user=anna password=…` or `Server=db;Pwd=…`."""
_TOKENS = re.compile(
    r"\b(?:AKIA[0-9A-Z]{16}|gh[pousr]_[A-Za-z0-9]{36,}|github_pat_\w{22,}|glpat-[\w-]{20,}"
    r"|xox[abprs]-[\w-]{10,}|sk-[A-Za-z0-9_-]{20,}|AIza[\w-]{35}|hf_[A-Za-z0-9]{30,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
)
"""Tokens that are known by how they begin."""


_HINT = re.compile(
    r"://|=|-----|AKIA|gh[pousr]_|github_pat_|glpat-|xox|sk-|AIza|hf_|hooks\.slack|webhook|chat\.googleapis",
    re.IGNORECASE,
)
"""What none of the patterns of secrets fits without."""


def secret_in_text(text: str) -> str | None:
    """What of a text is secret, in words; None where nothing seems to be."""
    if not _HINT.search(text):
        return None
    if "{{" in text and "}}" in text:
        text = re.sub(r"\{\{.*?\}\}", "", text)
    if _LOGIN.search(text):
        return "a login with its password"
    if _SECRET_ADDRESSES.search(text):
        return "an address that lets everybody in who knows it"
    if _PASSWORD.search(text):
        return "a password"
    if _TOKENS.search(text):
        return "a token"
    for address in re.findall(r"(?!abfss?:|wasbs?:)\b[a-z][\w+.-]*://\S+", text):
        try:
            if is_secret_address(address):
                return "an address with a secret in it"
        except ValueError:
            continue  # what is no address is said elsewhere
    return None


def spellings(secret: str) -> Iterator[str]:
    """What must not be shown of a secret that Airflow knows, beside itself.

    Those are the ways in which libraries write it: quoted for addresses, JSON, SQL, Python, libpq and HTML, within
    Base64 as of an HTTP login, and line by line. Of a connection's extra, which Airflow takes for one secret, those
    in it. Airflow's processes call this for each secret, where `AIRFLOW__LOGGING__SECRET_MASK_ADAPTER` names it.
    """
    extra = _parsed(secret)
    for one in (secret,) if extra is None else secrets_held(extra):
        yield from dict.fromkeys((one, *_written(one)))


def secrets_held(value: object, name: str = "", *, is_header: bool = False) -> Iterator[str]:
    """The secrets in a connection's extra.

    Texts whose key says so, headers of HTTP, what addresses hold, and texts of at least 16 characters:
    tokens are as long, the names of regions, roles and modes are shorter.

    Args:
        value: The extra, or what is in it.
        name: The key that it stands under.
        is_header: Whether it is a header's.
    """
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield from secrets_held(child, str(key), is_header=name.lower() == "headers")
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from secrets_held(child, name, is_header=is_header)
    elif isinstance(value, str):
        yield from _held_by_text(value, name, is_header=is_header)


def secrets_of_address(address: str) -> Iterator[str]:
    """The secrets in an address: its login, and what is long enough for a token in its path and query."""
    try:
        parts = urlsplit(address if "://" in address else f"//{address}")
    except ValueError:
        yield address
        return
    if login := parts.password or parts.username:
        yield from (login, unquote(login))
    for name, value in parse_qsl(parts.query):
        if is_secret_name(name) or len(value) >= _LONG:
            yield value
    # `slack://token/…`: what is a server's name at http is none there.
    names = [] if parts.scheme in ("http", "https", "") else [parts.netloc.rpartition("@")[2]]
    yield from (one for one in (*names, *parts.path.split("/")) if len(one) >= _LONG)


def secrets_of_environment(variables: Mapping[str, str]) -> Iterator[str]:
    """The secrets in environment variables: those that are called so, and logins in addresses."""
    for name, value in variables.items():
        if is_secret_name(name):
            yield value
        elif "://" in value and "@" in value and _parsed(value) is None:
            yield from secrets_of_address(value)


def _parsed(text: str) -> dict[str, object] | None:
    """A JSON object; None for any other text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _held_by_text(value: str, name: str, *, is_header: bool) -> Iterator[str]:
    if (nested := _parsed(value)) is not None:
        yield from secrets_held(nested)
    elif is_secret_name(name) or (is_header and not _PLAIN_HEADERS.fullmatch(name)):
        yield from _with_credential(value)
    elif "://" in value:
        yield from secrets_of_address(value)
    elif not is_header and not _PUBLIC.match(value):
        yield from (value,) if len(value) >= _LONG else ()
        yield from (
            one for key, one in _PAIR.findall(value) if len(one) >= _LONG or is_secret_name(key)
        )


def _with_credential(value: str) -> Iterator[str]:
    """A value, and of `Bearer <token>` the token."""
    yield value
    _, _, credential = value.partition(" ")
    if credential:
        yield credential


def _written(secret: str) -> Iterator[str]:
    for text in dict.fromkeys((secret, *_in_quotes(secret))):
        # Within an address, or within a text that is itself in quotes, as in errors.
        yield from (text, quote(text), quote(text, safe=""), quote(text, safe=" +"))
        yield from (quote_plus(text), *_in_quotes(text))
    # Late: its table of entities is long, and most files have no secrets.
    import html

    yield from (secret.replace("'", "''"), html.escape(secret), *_in_base64(secret.encode()))
    if "\n" in secret:
        yield from (line for line in map(str.strip, secret.splitlines()) if len(line) >= _LONG)


def _in_quotes(text: str) -> Iterator[str]:
    """How JSON, Python and libpq write a text between quotes; texts in errors are often within texts."""
    yield from (json.dumps(text)[1:-1], json.dumps(text, ensure_ascii=False)[1:-1])
    yield from (repr(text)[1:-1], text.replace("\\", "\\\\").replace("'", "\\'"))


def _in_base64(secret: bytes) -> Iterator[str]:
    """What Base64 makes of bytes wherever they begin, without the characters that depend on their neighbours."""
    for before in range(3):
        written = b64encode(b"\0" * before + secret).decode()
        whole = (before + len(secret)) * 8 // 6
        found = written[(before * 8 + 5) // 6 : whole]
        yield from (found, found.replace("+", "-").replace("/", "_"))


@lru_cache(4096)
def is_secret_name(name: str) -> bool:
    """Whether a key is called as secrets are."""
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
