"""The gate for one model an entity: each entity's challenger against its own champion, and a table of all.

`promotion` is the same for all of them. Nobody is asked about each one: where an approval is asked for, it is for all
that the numbers speak for.
"""

import csv
import io
import logging
import tempfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from factory.base.files import TEMPORARY
from factory.base.texts import table_cell
from factory.base.values import Result
from factory.models import gate as gate_of_one
from factory.models.gate_decision import ApprovalAnswer, GateDecision, GateVerdict, PromotionOutcome
from factory.models.promotion import Promotion
from factory.models.tracking import Tracking
from factory.training.entity_parts import EntityPart, EntityParts
from factory.training.entity_rows import SPLIT
from factory.training.entity_training import REGISTRATION, SELECTION, TEST
from factory.training.final_test import FinalTest
from factory.training.model import Model
from factory.training.register import Registration
from factory.training.split import DividedRows
from factory.training.sweep import Selection

logger = logging.getLogger(__name__)

DECISION = "decision"
OUTCOME = "outcome"

MOST_LINES = 50
"""How many entities a table for people has at most, the worst ones."""

_MOST_VERSIONS = 100
_MOST_FAILED = 10
_MOST_TOLD = 10
_LONGEST_ERROR = 200


class EntityLine(Result):
    """What became of one entity in a training run."""

    entity: str
    model: str
    rows: int
    """With a target."""
    trial: str = ""
    version: int | None = None
    """The challenger."""
    metric: str = ""
    """The objective's, on the test rows."""
    score: float | None = None
    champion_score: float | None = None
    gain: float | None = None
    """By how much the champion is beaten; negative where it is not."""
    verdict: str = ""
    """`promote`, `approve`, `keep`; afterwards `promoted`, `kept`; `failed`."""
    reason: str = ""


class EntityLines(Result):
    """All models of a run, the worst ones first."""

    lines: tuple[EntityLine, ...]

    def markdown(self, most: int = MOST_LINES) -> str:
        """A table for people, of the worst ones."""
        metric = next((one.metric for one in self.lines if one.metric), "score")
        head = f"| entity | rows | challenger: test {metric} | champion | gain | |"
        shown = [
            f"| {table_cell(one.entity)} | {one.rows:,} | {_number(one.score)} | {_number(one.champion_score)} "
            f"| {_number(one.gain)} | {table_cell(_said(one))} |"
            for one in self.lines[:most]
        ]
        left = len(self.lines) - most
        more = [f"\nand {left:,} more"] if left > 0 else []
        return "\n".join([head, "|---|---|---|---|---|---|", *shown, *more])

    def csv(self) -> str:
        """All of them, with all columns."""
        text = io.StringIO()
        writer = csv.DictWriter(text, list(EntityLine.model_fields))
        writer.writeheader()
        writer.writerows(one.as_json() for one in self.lines)
        return text.getvalue()

    @property
    def failed(self) -> list[EntityLine]:
        """Those that have failed."""
        return [one for one in self.lines if one.verdict == "failed"]

    @property
    def some_failed(self) -> dict[str, str]:
        """Some that have failed, and why."""
        return {one.entity: one.reason for one in self.failed[:_MOST_FAILED]}


class EntitiesDecision(Result):
    """What the gate has decided about all models."""

    verdict: GateVerdict
    promote: int
    """How many are to be promoted."""
    keep: int
    failed: int

    @property
    def models(self) -> int:
        """How many there are."""
        return self.promote + self.keep + self.failed


class EntitiesOutcome(Result):
    """How a training run ended for all of its models."""

    model: str
    promoted: bool
    """Whether at least one was."""
    reason: str
    entities: dict[str, int]
    """How many were promoted, kept and have failed."""
    failed: dict[str, str]
    """Some that have failed, and why."""
    table: str
    """The worst ones, in Markdown."""


@dataclass(frozen=True)
class EntityGate:
    """The gate of one training run."""

    model: Model
    workspace: Path
    tracking: Tracking
    name: str
    """The full name, `team.model`."""
    mlflow_run_id: str
    """MLflow's id of the run that stands for the whole training."""

    @cached_property
    def parts(self) -> EntityParts:
        """All models of the run."""
        return EntityParts.of(self.workspace)

    def decide(self, promotion: Promotion) -> EntitiesDecision:
        """Compare each challenger with its champion, as the gate of one model does.

        Raises:
            TerminalError: No challenger could be decided on.
            TrackingError: The MLflow server does not answer.
        """

        def decided(part: EntityPart) -> GateDecision:
            registered = part.read(REGISTRATION, Registration, self.workspace).record
            return gate_of_one.gate(
                part.read(SPLIT, DividedRows, self.workspace),
                part.read(TEST, FinalTest, self.workspace),
                self.model if part.entity is None else self.model.for_entity,
                promotion,
                part.folder(self.workspace),
                name=part.model,
                version=registered.version,
                mlflow_run_id=registered.mlflow_run_id,
                tracking=self.tracking,
            )

        self._having(REGISTRATION).each(DECISION, decided, self.workspace)
        self.write_table()
        verdicts = [self._decision_of(part).verdict for part in self._having(DECISION).all]
        keep = verdicts.count("keep")
        return EntitiesDecision(
            verdict=next((one for one in verdicts if one != "keep"), "keep"),
            promote=len(verdicts) - keep,
            keep=keep,
            failed=len(self.parts.all) - len(verdicts),
        )

    def promote(
        self, answer: ApprovalAnswer | None, *, by: str
    ) -> tuple[EntitiesOutcome, dict[str, Any]]:
        """Put those into production that are to be, and leave the others where they are.

        Args:
            answer: What somebody said, if anybody was asked.
            by: Who promotes where nobody was asked: the run.

        Returns:
            The outcome, and the extra of the model's asset event.

        Raises:
            TerminalError: Nothing could be promoted or kept.
            TrackingError: The MLflow server does not answer.
        """

        def ended(part: EntityPart) -> PromotionOutcome:
            decision = self._decision_of(part)
            if decision.verdict == "keep":
                return gate_of_one.keep(decision, None, tracking=self.tracking)
            outcome, _ = gate_of_one.promote(decision, answer, by=by, tracking=self.tracking)
            return outcome

        self._having(DECISION).each(OUTCOME, ended, self.workspace)
        outcome = self._outcome(answer)
        return outcome, self._event(outcome)

    def keep(self, answer: ApprovalAnswer | None) -> EntitiesOutcome:
        """Leave all champions where they are, and write down why.

        Raises:
            TerminalError: Nothing could be written down.
            TrackingError: The MLflow server does not answer.
        """

        def kept(part: EntityPart) -> PromotionOutcome:
            decision = self._decision_of(part)
            asked = None if decision.verdict == "keep" else answer
            return gate_of_one.keep(decision, asked, tracking=self.tracking)

        self._having(DECISION).each(OUTCOME, kept, self.workspace)
        return self._outcome(answer)

    def lines(self) -> EntityLines:
        """What has become of each model so far, the worst ones first."""
        sign = 1 if self.model.goal == "maximize" else -1
        found = map(self._line, self.parts.all)
        return EntityLines(lines=tuple(sorted(found, key=lambda line: _worst_first(line, sign))))

    def write_table(self) -> EntityLines:
        """Put the table of all models into the note of the training's MLflow run, and all of it into a file."""
        found = self.lines()
        text = found.markdown()
        self.tracking.write_section(self.mlflow_run_id, "Entities", text)
        self.tracking.log(
            self.mlflow_run_id,
            metrics={"entities": len(found.lines), "entities_failed": len(found.failed)},
        )
        with tempfile.TemporaryDirectory(prefix=TEMPORARY) as folder:
            (Path(folder) / "entities.csv").write_text(found.csv(), encoding="utf-8")
            self.tracking.log_files(self.mlflow_run_id, Path(folder), at="entities")
        logger.info("\n%s", text)
        return found

    def _outcome(self, answer: ApprovalAnswer | None) -> EntitiesOutcome:
        lines = self.write_table()
        verdicts = [one.verdict for one in lines.lines]
        counts = {one: verdicts.count(one) for one in ("promoted", "kept", "failed")}
        reason = f"{counts['promoted']} of {len(verdicts)} models were promoted, {counts['kept']} keep their champion"
        if counts["failed"]:
            reason += f", {counts['failed']} have failed"
        return EntitiesOutcome(
            model=self.name,
            promoted=counts["promoted"] > 0,
            reason=reason if answer is None else f"{reason}; {answer}",
            entities=counts,
            failed=lines.some_failed,
            table=lines.markdown(_MOST_TOLD),
        )

    def _event(self, outcome: EntitiesOutcome) -> dict[str, Any]:
        parts = self._having(OUTCOME).all
        done = [(part, part.read(OUTCOME, PromotionOutcome, self.workspace)) for part in parts]
        versions = {part.label: one.version for part, one in done if one.promoted}
        some = dict(sorted(versions.items())[:_MOST_VERSIONS])
        first = parts[0].read(REGISTRATION, Registration, self.workspace).record
        return {
            "model": self.name,
            "entities": outcome.entities,
            "versions": some,
            "snapshots": first.snapshots,
            "reason": "promotion",
        }

    def _line(self, part: EntityPart) -> EntityLine:
        known: dict[str, Any] = {}
        if selection := part.find(SELECTION, Selection, self.workspace):
            known |= {"trial": selection.winner.fit.trial.name, "metric": selection.metric}
        tested = part.find(TEST, FinalTest, self.workspace)
        if tested and selection:
            known["score"] = tested.metrics.get(selection.metric)
        if registration := part.find(REGISTRATION, Registration, self.workspace):
            known["version"] = registration.record.version
        if decision := part.find(DECISION, GateDecision, self.workspace):
            known |= {
                "champion_score": decision.champion_metrics.get(decision.metric),
                "gain": decision.gain,
                "verdict": decision.verdict,
                "reason": decision.reason,
            }
        if outcome := part.find(OUTCOME, PromotionOutcome, self.workspace):
            verdict = "promoted" if outcome.promoted else "kept"
            known |= {"verdict": verdict, "reason": outcome.reason}
        if failure := part.failure(self.workspace):
            known |= {"verdict": "failed", "reason": failure.error}
        return EntityLine(entity=part.label, model=part.model, rows=part.rows, **known)

    def _decision_of(self, part: EntityPart) -> GateDecision:
        return part.read(DECISION, GateDecision, self.workspace)

    def _having(self, result: str) -> EntityParts:
        return EntityParts(self.parts.having(result, self.workspace))


def question(
    decision: EntitiesDecision, lines: EntityLines, model: str, page: str
) -> dict[str, str]:
    """What a person is asked who approves: the subject, and the body with a table, the worst ones first.

    Args:
        decision: What the gate has decided.
        lines: All models.
        model: The full name, `team.model`.
        page: Airflow's page of the run.
    """
    failed = f" {decision.failed} have failed and keep theirs." if decision.failed else ""
    return {
        "subject": f"Put new versions of {decision.promote} of {decision.models} models of {model} into production?",
        "body": (
            f"{decision.promote} are better than their champions, or are the first; {decision.keep} keep their "
            f"champion whatever is answered.{failed}\n\n{lines.markdown()}\n\n[The run in Airflow]({page})"
        ),
    }


def _worst_first(line: EntityLine, sign: int) -> tuple[bool, bool, float, str]:
    """Failed ones first, then those that gain least, then those without a champion by their own score."""
    score = None if line.score is None else sign * line.score
    worst = line.gain if line.gain is not None else score
    known = float("inf") if worst is None else worst
    return (line.verdict != "failed", line.gain is None, known, line.entity)


def _said(line: EntityLine) -> str:
    if line.verdict != "failed":
        return line.verdict
    return f"failed: {line.reason[:_LONGEST_ERROR]}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.6g}"
