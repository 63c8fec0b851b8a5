"""What becomes of the words that a job leaves behind."""

import pytest

from factory.base.errors import FactoryError, TerminalError
from factory.training.backends.backend import Failure
from factory.training.backends.job_layout import as_reason, read_reason
from factory.training.backends.sagemaker_states import failure_of


@pytest.mark.parametrize(
    ("error", "text", "terminal"),
    [
        (TerminalError("no such estimator"), "no such estimator", True),
        (FactoryError("the disk is full"), "the disk is full", False),
        (ValueError("odd"), "ValueError: odd", False),
    ],
)
def test_error_of_a_job_comes_out_as_it_went_in(error, text, terminal):
    reason = as_reason(error)
    assert read_reason(reason) == (text, terminal)
    wrapped = f"AlgorithmError: {reason}, exit code: {2 if terminal else 1}"
    assert failure_of(wrapped) == Failure(text, terminal)


@pytest.mark.parametrize(
    ("reason", "terminal", "said"),
    [
        ("AlgorithmError: , exit code: 137", True, "memory"),
        ("ClientError: Data download failed: AccessDenied", True, "AccessDenied"),
        ("CapacityError: Unable to provision requested ML compute capacity", False, "capacity"),
        (
            "InternalServerError: We encountered an internal error. Please try again.",
            False,
            "again",
        ),
        ("AlgorithmError: , exit code: 1", False, "exit code: 1"),
        ("", False, ""),
    ],
)
def test_reason_of_amazon_tells_whether_trying_again_can_help(reason, terminal, said):
    found = failure_of(reason)
    assert found.terminal is terminal
    assert said in found.text


def test_failure_that_is_terminal_is_not_retried():
    assert isinstance(Failure("a", terminal=True).error("job", "There."), TerminalError)
    assert not isinstance(Failure("a").error("job", "There."), TerminalError)
