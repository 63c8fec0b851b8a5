"""What a person reads in a task's log of an error that a step has foreseen."""

import logging
from types import SimpleNamespace

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from factory.airflow.operators import StepOperator
from factory.base.errors import FactoryError, NothingToDoError, TerminalError

TEXT = "the file orders.csv has no column `weight`; " + "it has " + ", ".join(["width"] * 40)
ADVICE = "correct `columns`, or take the column away"
CONTEXT = {"dag": SimpleNamespace(has_on_failure_callback=False)}


def raised_by(error: Exception, expected: type[Exception], caplog) -> Exception:
    def step() -> None:
        raise error

    task = StepOperator(task_id="t", python_callable=step)
    context = {**CONTEXT, "ti": SimpleNamespace(task=task)}
    with caplog.at_level(logging.INFO), pytest.raises(expected) as raised:
        StepOperator.execute.__wrapped__(task, context)
    return raised.value


@pytest.mark.parametrize(
    ("error", "expected"), [(TerminalError, AirflowFailException), (FactoryError, FactoryError)]
)
def test_error_is_one_wrapped_entry_with_its_advice_and_without_frames(error, expected, caplog):
    raised = raised_by(error(f"{TEXT}: {ADVICE}"), expected, caplog)
    [said] = [record for record in caplog.records if record.levelno == logging.ERROR]
    lines = said.getMessage().splitlines()
    assert " ".join(" ".join(lines).split()) == f"{TEXT}: {ADVICE}"
    assert max(map(len, lines)) <= 120
    assert said.exc_info is None
    # Airflow logs the chain of an error, each link with all of its frames.
    assert raised.__cause__ is None
    assert raised.__context__ is None or raised.__suppress_context__


def test_nothing_to_do_is_a_skip_with_a_sentence_and_no_error(caplog):
    raised_by(NothingToDoError("sea.m has no champion yet"), AirflowSkipException, caplog)
    said = [record for record in caplog.records if record.name == "factory.airflow.operators"]
    assert [record.levelno for record in said] == [logging.INFO]
    assert said[0].getMessage() == "Nothing to do: sea.m has no champion yet"
