"""Change which version is in production."""

from dataclasses import dataclass
from datetime import UTC, datetime

from factory.base.errors import TerminalError
from factory.base.texts import one_of
from factory.models.registry import (
    CHALLENGER,
    CHAMPION,
    PREVIOUS,
    UnknownModelError,
    Version,
    champion,
    set_alias,
    tag,
    version,
    versions,
    with_alias,
)
from factory.models.tracking import Tracking


class ChampionChangedError(TerminalError):
    """Another version is in production than the one that a decision was made against."""


@dataclass(frozen=True)
class Switch:
    """A change of the version in production."""

    now: Version
    before: int | None
    """The number of the version that was in production until then."""


def promote(
    model: str,
    number: int,
    *,
    instead_of: int | None,
    by: str,
    why: str,
    tracking: Tracking | None = None,
) -> Switch:
    """Put a version into production: it becomes `champion`, and what was so becomes `previous`.

    Calling it again changes nothing but the tags, so that a retry may.

    Args:
        model: The full name, `team.model`.
        number: The version.
        instead_of: The champion that the version was found to be better than; None for no champion.
        by: Who does it.
        why: One sentence.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.

    Raises:
        ChampionChangedError: By now, another version than `instead_of` is in production.
        UnknownModelError: There is no such version.
        TrackingError: The MLflow server does not answer.
    """
    tracking = tracking or Tracking()
    current = champion(model, tracking=tracking)
    before = current.number if current else None
    if before not in (number, instead_of):
        raise ChampionChangedError(
            f"{model}: version {number} is to replace {_words(instead_of)}, but by now the champion "
            f"is {_words(before)}, which it was not compared with. Trigger the training again to "
            f"compare them, or promote by hand: factory rollback {model} --to {number}"
        )
    if before != number:
        _point(model, number, before, tracking)
    tag(model, number, _signed("promoted", by, why), tracking=tracking)
    _drop_challenger(model, number, tracking)
    return Switch(version(model, number, tracking=tracking), instead_of)


def rollback(
    model: str,
    to: int | None = None,
    *,
    by: str,
    why: str,
    tracking: Tracking | None = None,
) -> Switch:
    """Put the `previous` version, or the one that is named, back into production.

    Args:
        model: The full name, `team.model`.
        to: The version; the previous champion when left out.
        by: Who does it.
        why: One sentence.
        tracking: The MLflow server; the one in MLFLOW_TRACKING_URI when left out.

    Raises:
        UnknownModelError: There is no such model or version; names those that there are.
        TerminalError: There is no previous version, or the version is in production already.
        TrackingError: The MLflow server does not answer.
    """
    tracking = tracking or Tracking()
    known = versions(model, tracking=tracking)
    numbers = one_of(sorted(one.number for one in known))
    current = champion(model, tracking=tracking)
    if to is None:
        previous = with_alias(model, PREVIOUS, tracking=tracking)
        if previous is None:
            raise TerminalError(
                f"{model} has no previous version to go back to: name one with --to; it has {numbers}"
            )
        to = previous.number
    if to not in {one.number for one in known}:
        raise UnknownModelError(f"{model} has no version {to}: it has {numbers}")
    if current and current.number == to:
        raise TerminalError(f"{model}: version {to} is the champion already; it has {numbers}")
    before = current.number if current else None
    _point(model, to, before, tracking)
    tag(model, to, _signed("promoted", by, why), tracking=tracking)
    if before is not None:
        tag(model, before, _signed("rolled_back", by, why), tracking=tracking)
    _drop_challenger(model, to, tracking)
    return Switch(version(model, to, tracking=tracking), before)


def _point(model: str, number: int, before: int | None, tracking: Tracking) -> None:
    """Set the aliases; `previous` first, so that whatever happens in between, nothing is lost."""
    if before is not None:
        set_alias(model, PREVIOUS, before, tracking=tracking)
    set_alias(model, CHAMPION, number, tracking=tracking)


def _signed(what: str, by: str, why: str) -> dict[str, str]:
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {f"{what}_at": now, f"{what}_by": by, f"{what}_why": why}


def _drop_challenger(model: str, number: int, tracking: Tracking) -> None:
    """A version in production is no challenger any more; a newer challenger stays one."""
    challenger = with_alias(model, CHALLENGER, tracking=tracking)
    if challenger and challenger.number == number:
        with tracking.asked() as client:
            client.delete_registered_model_alias(model, CHALLENGER)


def _words(number: int | None) -> str:
    return "none" if number is None else f"version {number}"
