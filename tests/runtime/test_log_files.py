"""Logs stay within a size, whoever has them open."""

from factory.runtime.log_files import KEPT, rotate


def test_log_within_its_size_stays(tmp_path):
    log = tmp_path / "scheduler.log"
    assert not rotate(log, is_held=True), "there is none"
    log.write_text("line\n")
    assert not rotate(log, is_held=True, most_bytes=5)
    assert log.read_text() == "line\n"


def test_log_that_a_process_holds_goes_on_in_the_same_file(tmp_path):
    log = tmp_path / "scheduler.log"
    with log.open("ab", buffering=0) as held:
        for number in range(6):
            held.write(f"line {number}\n".encode())
            assert rotate(log, is_held=True, most_bytes=5)
        held.write(b"last\n")
    assert log.read_text() == "last\n"
    kept = [(tmp_path / f"scheduler.log.{number}").read_text() for number in range(1, KEPT + 1)]
    assert kept == ["line 5\n", "line 4\n", "line 3\n"]
    assert len(list(tmp_path.iterdir())) == 1 + KEPT


def test_events_are_put_aside_whole(tmp_path):
    events = tmp_path / "events.jsonl"
    events.write_text('{"event": 1}\n')
    assert rotate(events, is_held=False, most_bytes=5)
    assert not events.exists()
    assert (tmp_path / "events.jsonl.1").read_text() == '{"event": 1}\n'
