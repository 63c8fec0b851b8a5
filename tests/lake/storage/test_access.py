"""How a process gets at S3, where it works for several teams at once."""

import threading

from factory.lake.storage.access import Access, apart, current, using


def test_what_is_said_apart_holds_in_its_own_thread_alone():
    found, both = {}, threading.Barrier(2, timeout=10)

    def look(team: str) -> None:
        with apart(), using(Access(session=team)):
            both.wait()
            found[team] = current().session
            both.wait()

    threads = [threading.Thread(target=look, args=(team,)) for team in ("sea", "lab")]
    with using(Access(session="task")):
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert current().session == "task"
    assert found == {"sea": "sea", "lab": "lab"}
