"""Deliveries that come together are kept together, and each sender hears of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

pytest.importorskip("sqlalchemy")

from customer_nlp.serve._intake import Intake
from customer_nlp.serve._store import Arrival, NewJob


def arrival(key: str) -> Arrival:
    return Arrival("a", (key,), NewJob("hook", "zendesk", key, b""))


def test_what_arrives_while_one_is_written_is_written_in_one_go() -> None:
    written: list[list[str]] = []

    def write(arrivals: Sequence[Arrival]) -> list[bool]:
        keys = [one.keys[0] for one in arrivals]
        written.append(keys)
        return [key != "again" for key in keys]

    async def all_at_once() -> list[bool]:
        intake = Intake(write)
        return await asyncio.gather(*(intake.take_in(arrival(key)) for key in ("1", "again", "3")))

    assert asyncio.run(all_at_once()) == [True, False, True]
    assert sorted(key for keys in written for key in keys) == ["1", "3", "again"]
    assert len(written) < 3


def test_an_error_reaches_all_of_its_transaction_and_none_after_it() -> None:
    calls: list[int] = []

    def write(arrivals: Sequence[Arrival]) -> list[bool]:
        calls.append(len(arrivals))
        if len(calls) == 1:
            raise OSError("the disk is full")
        return [True] * len(arrivals)

    async def one_after_the_other() -> bool:
        intake = Intake(write)
        with pytest.raises(OSError, match="the disk is full"):
            await intake.take_in(arrival("1"))
        return await intake.take_in(arrival("1"))

    assert asyncio.run(one_after_the_other())


def test_a_sender_that_went_away_does_not_stop_the_others() -> None:
    def write(arrivals: Sequence[Arrival]) -> list[bool]:
        return [True] * len(arrivals)

    async def one_leaves() -> bool:
        intake = Intake(write)
        gone, stays = (asyncio.create_task(intake.take_in(arrival(key))) for key in "12")
        await asyncio.sleep(0)
        gone.cancel()
        return await stays

    assert asyncio.run(one_leaves())
