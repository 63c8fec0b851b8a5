"""What a deployment is asked, and which answers pass."""

import json

import pytest

from factory.base.errors import TerminalError
from factory.deploy.http import NoAnswerError, read_answer
from factory.deploy.smoke import SmokeTestError, SmokeTestPassed, smoke_test
from factory.deploy.targets.target import DeployContext, Deployed, PredictionAnswer, SmokeTest
from factory.models.record import ModelRecord
from factory.models.tracking import Tracking
from tests.deploy.fake_target import ADDRESS, MemoryTarget
from tests.models.records import record
from tests.serving.image_models import image

RELEASE = record("pets.detector", 3)
PRICE = record("homes.price", 3, task="regression")
RUNNING = Deployed(model="pets.detector", version=3, address=ADDRESS)
CAT = {"file": "cat.jpg", "expect": "cat"}


@pytest.fixture
def ask(tmp_path):
    """Ask a target that gives an answer."""
    (tmp_path / "cat.jpg").write_bytes(image(kind="JPEG"))
    (tmp_path / "rows.json").write_text(json.dumps([{"x": 1}, {"x": 2}]))

    def run(
        section: dict, answer: PredictionAnswer, release: ModelRecord = RELEASE
    ) -> SmokeTestPassed:
        target = MemoryTarget.answering(answer, SmokeTest.model_validate(section))
        run.target = target
        context = DeployContext(Tracking("http://127.0.0.1:9"), tmp_path)
        return smoke_test(target, context, RUNNING, release)

    return run


def test_an_image_that_is_recognized_passes(ask):
    tested = ask(CAT, PredictionAnswer(("cat",), ({"cat": 0.9, "dog": 0.1},), 3))
    assert (tested.address, tested.asked, tested.values) == (ADDRESS, "cat.jpg", ["cat"])
    (question,) = ask.target._questions
    assert (question.content_type, question.body[:3]) == ("image/jpeg", b"\xff\xd8\xff")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (
            PredictionAnswer(("dog",), ({"cat": 0.1, "dog": 0.9},)),
            r"it says 'dog' \(90%\), and 'cat' is",
        ),
        (PredictionAnswer(("cat",), version=2), "version 2 answered"),
        (PredictionAnswer(("cat", "cat")), "answered about 2 of 1"),
        (PredictionAnswer((None,)), "no class"),
        (PredictionAnswer(("cat",), ({"cat": 0.2, "dog": 0.2},)), "do not add up to 1"),
        (
            PredictionAnswer(("cat",), ({"cat": None, "dog": 1.0},)),
            "probabilities that are no numbers",
        ),
    ],
)
def test_another_answer_fails_for_good_and_says_what_was_said(ask, answer, words):
    with pytest.raises(SmokeTestError, match=words) as raised:
        ask(CAT, answer)
    assert str(raised.value).startswith("memory:1 was asked about cat.jpg")
    assert "pets.detector version 3" in str(raised.value)


def test_rows_of_a_file_or_of_the_team_file_are_asked_together(ask):
    ask({"file": "rows.json"}, PredictionAnswer(("a", "b")))
    assert json.loads(ask.target._questions[0].body) == {"rows": [{"x": 1}, {"x": 2}]}
    ask({"rows": [{"x": 3}], "expect": 7}, PredictionAnswer((7,)))
    assert json.loads(ask.target._questions[0].body) == {"rows": [{"x": 3}]}


def test_a_row_that_is_wrong_is_named(ask):
    with pytest.raises(SmokeTestError, match="it says 'b' about row 2, and 'a' is expected"):
        ask({"file": "rows.json", "expect": "a"}, PredictionAnswer(("a", "b")))


@pytest.mark.parametrize(
    ("value", "section", "passes"),
    [
        (10.4, {"expect": 10, "tolerance": 0.5}, True),
        (10.6, {"expect": 10, "tolerance": 0.5}, False),
        (10.0, {"expect": 10}, True),
        (None, {}, False),
        (3.5, {}, True),
    ],
)
def test_a_number_may_be_off_by_the_tolerance(ask, value, section, passes):
    section = {"rows": [{"x": 1}], **section}
    if passes:
        assert ask(section, PredictionAnswer((value,)), PRICE).values == [value]
    else:
        with pytest.raises(SmokeTestError):
            ask(section, PredictionAnswer((value,)), PRICE)


def test_true_is_not_one(ask):
    with pytest.raises(SmokeTestError, match="True is expected"):
        ask({"rows": [{"x": 1}], "expect": True}, PredictionAnswer((1,)))


def test_a_file_that_is_gone_or_damaged_is_named(ask, tmp_path):
    (tmp_path / "rows.json").write_text("{")
    with pytest.raises(TerminalError, match=r"rows\.json.* is no JSON"):
        ask({"file": "rows.json"}, PredictionAnswer(("a",)))
    (tmp_path / "rows.json").write_text("[1]")
    with pytest.raises(TerminalError, match="must hold rows"):
        ask({"file": "rows.json"}, PredictionAnswer(("a",)))
    (tmp_path / "cat.jpg").unlink()
    with pytest.raises(TerminalError, match=r"cat\.jpg.* cannot be read: No such file"):
        ask(CAT, PredictionAnswer(("cat",)))


def test_the_input_example_is_asked_when_nothing_is_written(release, tracking, tmp_path):
    target = MemoryTarget.answering(PredictionAnswer(("Adelie",) * 5))
    tested = smoke_test(target, DeployContext(tracking, tmp_path), RUNNING, release)
    assert "rows that it was registered with" in tested.asked
    (row, *_) = json.loads(target._questions[0].body)["rows"]
    assert "island" in row


@pytest.mark.parametrize(
    ("body", "values", "probabilities"),
    [
        ({"label": "cat", "version": 2}, ("cat",), None),
        ({"label": "cat", "probabilities": {"cat": 1}}, ("cat",), ({"cat": 1},)),
        ({"value": 2.5}, (2.5,), None),
        ({"predictions": ["a"], "probabilities": [{"a": 1}]}, ("a",), ({"a": 1},)),
    ],
)
def test_both_forms_of_an_answer_are_read(body, values, probabilities):
    found = read_answer(json.dumps(body).encode(), "here")
    assert (found.values, found.probabilities) == (values, probabilities)


@pytest.mark.parametrize("content", [b"", b"<html>", b"[1]", b'{"detail": "no"}', b"null"])
def test_other_answers_are_none(content):
    with pytest.raises(TerminalError, match="here answers with what is no prediction"):
        read_answer(content, "here")


def test_an_answer_that_is_late_is_asked_for_again(tmp_path):
    class Late(MemoryTarget):
        def predict(self, context, deployed, question):
            if len(self._questions) == 0:
                super().predict(context, deployed, question)
                raise NoAnswerError("not yet")
            return super().predict(context, deployed, question)

    section = SmokeTest(rows=({"x": 1},))
    late = Late.answering(PredictionAnswer(("a",)), section)
    tracking = Tracking("http://127.0.0.1:9")
    smoke_test(late, DeployContext(tracking, tmp_path), RUNNING, RELEASE)
    assert len(late._questions) == 2
