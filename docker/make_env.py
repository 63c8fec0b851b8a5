"""Write `.env` for docker-compose.yaml: every variable of `.env.example` with a random value.

Needs nothing but Python. Leaves an existing `.env` as it is.
"""  # noqa: INP001 - a script, no package

import os
import re
import secrets
import sys
from base64 import urlsafe_b64encode
from pathlib import Path


def random_value(variable: str) -> str:
    """A value for a variable: 32 random bytes, as base64 for Fernet and as hex for the others."""
    if variable.endswith("_FERNET_KEY"):
        return urlsafe_b64encode(secrets.token_bytes(32)).decode()
    return secrets.token_hex(32)


def main() -> None:
    """Fill the empty variables in."""
    example = Path(".env.example").read_text()
    text = re.sub(r"(?m)^(\w+)=$", lambda match: f"{match[1]}={random_value(match[1])}", example)
    try:
        descriptor = os.open(".env", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        sys.exit("there is a .env already: the databases know its passwords, so it stays")
    with os.fdopen(descriptor, "w") as file:
        file.write(text)


if __name__ == "__main__":
    main()
