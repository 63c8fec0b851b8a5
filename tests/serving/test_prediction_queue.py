"""Bounded work: so many at once, so many waiting, so long; together what can be."""

import asyncio
import threading

import pytest

from factory.serving.prediction_queue import BusyError, PredictionQueue


class Model:
    """Something to ask, which answers when its gate is open."""

    def __init__(self):
        self.gate, self.asked = threading.Event(), threading.Event()
        self.seen = []

    def together(self, bodies):
        self.seen.append(list(bodies))
        self.asked.set()
        assert self.gate.wait(20)
        return [ValueError() if body == b"bad" else body.upper() for body in bodies]


def desk(threads=1, waiting=10, seconds=20.0):
    return PredictionQueue(Model.together, threads=threads, waiting=waiting, seconds=seconds)


async def begun(model):
    await asyncio.to_thread(model.asked.wait, 20)


def test_what_waits_for_the_same_model_is_answered_together():
    async def run():
        one, other, at = Model(), Model(), desk()
        other.gate.set()
        asking = [asyncio.create_task(at.ask(one, b"a"))]
        await begun(one)
        for model, body in ((one, b"b"), (other, b"x"), (one, b"bad"), (one, b"c")):
            asking.append(asyncio.create_task(at.ask(model, body)))
        await asyncio.sleep(0)
        one.gate.set()
        found = await asyncio.gather(*asking, return_exceptions=True)
        assert [each for each in found if isinstance(each, bytes)] == [b"A", b"B", b"X", b"C"]
        assert isinstance(found[3], ValueError)
        assert one.seen == [[b"a"], [b"b", b"bad", b"c"]]
        assert other.seen == [[b"x"]]
        at.close()

    asyncio.run(run())


def test_a_large_request_is_answered_alone():
    async def run():
        model, at = Model(), desk()
        large = b"l" * 100_000
        asking = [asyncio.create_task(at.ask(model, b"a"))]
        await begun(model)
        asking += [asyncio.create_task(at.ask(model, body)) for body in (b"b", large, b"c")]
        await asyncio.sleep(0)
        model.gate.set()
        await asyncio.gather(*asking)
        assert model.seen == [[b"a"], [b"b"], [large], [b"c"]]
        at.close()

    asyncio.run(run())


def test_what_finds_no_place_is_told_so_and_what_has_one_is_finished():
    async def run():
        model, at = Model(), desk(waiting=1)
        asking = [asyncio.create_task(at.ask(model, body)) for body in (b"a", b"b")]
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await at.ask(model, b"c")
        model.gate.set()
        assert await asyncio.gather(*asking) == [b"A", b"B"]
        assert await at.ask(model, b"d") == b"D"
        at.close()

    asyncio.run(run())


def test_what_takes_too_long_keeps_its_place_and_what_only_waited_does_not():
    async def run():
        model, at = Model(), desk(waiting=1, seconds=0.2)
        stuck = asyncio.create_task(at.ask(model, b"stuck"))
        await begun(model)
        waits = asyncio.create_task(at.ask(model, b"waits"))
        for late in (stuck, waits):
            with pytest.raises(TimeoutError):
                await late
        follows = asyncio.create_task(at.ask(model, b"follows"))
        await asyncio.sleep(0)
        with pytest.raises(BusyError):
            await at.ask(model, b"no place")
        model.gate.set()
        assert await follows == b"FOLLOWS"
        assert model.seen == [[b"stuck"], [b"follows"]]
        at.close()

    asyncio.run(run())


def test_an_error_for_all_comes_out():
    async def run():
        def fails(model, bodies):
            raise ZeroDivisionError

        at = PredictionQueue(fails, threads=1, waiting=0, seconds=5)
        with pytest.raises(ZeroDivisionError):
            await at.ask("model", b"")
        at.close()

    asyncio.run(run())
