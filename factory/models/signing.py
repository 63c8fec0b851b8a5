"""Signatures of registered versions, by a key that the registry does not hold.

A digest in the registry tells whether files were changed by somebody who cannot write the registry. Whoever can
write both needs the key too, where one is set.
"""

import hashlib
import hmac
import os
from typing import TYPE_CHECKING

from factory.base.errors import TerminalError
from factory.models.files import TamperedError

if TYPE_CHECKING:
    from factory.models.record import ModelFacts, ModelRecord

KEY = "FACTORY_SIGNING_KEY"
"""The environment variable with the key; the same for all that register, judge, predict and serve."""

_SHORTEST = 32


def signed(facts: "ModelFacts", model: str) -> "ModelFacts":
    """The facts with a signature, if there is a key.

    Args:
        facts: With the digest of the model's files.
        model: The full name, `team.model`.

    Raises:
        TerminalError: The key is too short.
    """
    key = _key()
    return facts if key is None else facts.model_copy(update={"hmac": _hmac(key, facts, model)})


def check_signature(record: "ModelRecord") -> None:
    """Check a version's signature, if there is a key.

    Raises:
        TamperedError: It has none, or another one than it should have.
        TerminalError: The key is too short.
    """
    key = _key()
    if key is None:
        return
    what = f"{record.model} version {record.version}"
    if record.hmac is None:
        raise TamperedError(
            f"{what} is not signed, and {KEY} is set: it was registered without the key. Train the model again"
        )
    if not hmac.compare_digest(record.hmac, _hmac(key, record, record.model)):
        raise TamperedError(
            f"{what} is not signed by the key in {KEY}: it was registered with another one, or somebody has "
            "changed the registry. Train the model again, and find out which it was"
        )


def _key() -> bytes | None:
    key = os.environ.get(KEY)
    if not key:
        return None
    if len(key) < _SHORTEST:
        raise TerminalError(
            f"{KEY} has fewer than {_SHORTEST} characters: make one with "
            "`python -c 'import secrets; print(secrets.token_urlsafe(48))'`"
        )
    return key.encode()


def _hmac(key: bytes, facts: "ModelFacts", model: str) -> str:
    """What decides how the files are read, and the files themselves."""
    words = (model, facts.sha256 or "", facts.trainer, facts.estimator, *sorted(facts.packages))
    return hmac.new(key, "\n".join(words).encode(), hashlib.sha256).hexdigest()
