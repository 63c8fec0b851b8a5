"""A newcomer's first hour: three commands from a messy CSV file to an answer over HTTP."""

from benchmarks.first_hour import MODEL, MOST_SECONDS, first_hour


def test_messy_file_becomes_a_promoted_model_that_answers(tmp_path):
    seconds, answer = first_hour(tmp_path)
    assert (answer["model"], answer["version"], answer["predictions"]) == (MODEL, 1, ["late"])
    assert list(seconds) == ["init", "run", "serve"]
    assert sum(seconds.values()) < MOST_SECONDS
