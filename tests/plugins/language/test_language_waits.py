"""The program waits for all outputs at once, and hears of an error at once."""

import asyncio
import itertools
from typing import Any
from unittest.mock import patch

import pulumi.runtime.stack
import pytest
from pulumi.runtime.settings import SETTINGS

from embedded.plugins.language.program import Asyncio


async def wait_for(*outputs: "asyncio.Task[Any]") -> int:
    """Wait as the SDK does for outputs at the end of a program; return how often it looks at those that are left."""
    SETTINGS.outputs = set(outputs)
    with (
        patch.object(pulumi.runtime.stack, "asyncio", Asyncio()),
        patch.object(asyncio, "wait", wraps=asyncio.wait) as looks,
    ):
        await pulumi.runtime.stack.wait_for_rpcs()
    return looks.call_count


def test_outputs_that_complete_one_after_the_other_are_looked_at_once() -> None:
    async def run() -> int:
        done = [asyncio.Event() for _ in range(50)]
        pairs = reversed([*itertools.pairwise(done)])  # the last one is the first to wait
        outputs = [asyncio.create_task(follow(before, after)) for before, after in pairs]
        done[0].set()
        return await wait_for(*outputs)

    async def follow(before: asyncio.Event, after: asyncio.Event) -> None:
        await before.wait()
        after.set()

    assert asyncio.run(run()) == 1


def test_an_error_is_raised_while_another_output_never_completes() -> None:
    async def run() -> None:
        never = asyncio.create_task(asyncio.Event().wait())
        await asyncio.wait_for(wait_for(never, asyncio.create_task(fail())), timeout=10)

    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("of an output")

    with pytest.raises(ValueError, match="of an output"):
        asyncio.run(run())
