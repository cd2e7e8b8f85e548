"""The chat's screen, on a terminal that is none."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
from prompt_toolkit.input import PipeInput, create_pipe_input
from prompt_toolkit.output import DummyOutput

from blindrelay.cli.screen import Screen
from blindrelay.cli.transcript import Transcript
from blindrelay.clients.errors import Closed
from blindrelay.protocol.address import DeviceAddress, UserAddress

LAPTOP = DeviceAddress("acme.example", "alice", "laptop")


class FakeConversation:
    """Remembers what was typed."""

    def __init__(self) -> None:
        self.device = type("Device", (), {"address": LAPTOP})()
        self.name = "bob@globex.example"
        self.sealed = False
        self.over = False
        self.commands: dict[str, object] = {"/quit": ()}
        self.transcript = Transcript(UserAddress("acme.example", "alice"))
        self.typed: list[str] = []
        self.error: Exception | None = None

    async def enter(self, typed: str) -> None:
        """Take a line."""
        self.typed.append(typed)
        if self.error is not None:
            raise self.error
        self.over = typed == "/quit"


@pytest.fixture
def keyboard() -> Iterator[PipeInput]:
    """Something to type on."""
    with create_pipe_input() as keyboard:
        yield keyboard


@pytest.fixture
def conversation() -> FakeConversation:
    """One with a long past."""
    conversation = FakeConversation()
    for number in range(100):
        conversation.transcript.remark(datetime(2026, 1, 1, tzinfo=UTC), f"line {number}")
    return conversation


async def run(conversation: FakeConversation, keyboard: PipeInput, *typed: str) -> Screen:
    """Type, and wait until the screen is left."""
    screen = Screen(conversation, keyboard, DummyOutput())  # type: ignore[arg-type]
    for text in typed:
        keyboard.send_text(text)
    async with asyncio.timeout(10):
        await screen.run()
    return screen


async def test_lines_go_out_and_quit_leaves(conversation: FakeConversation, keyboard: PipeInput) -> None:
    """Each Enter is one line."""
    await run(conversation, keyboard, "hello\r", "you\r", "/quit\r")
    assert conversation.typed == ["hello", "you", "/quit"]


@pytest.mark.parametrize("key", ["\x03", "\x04"])
async def test_ctrl_c_and_ctrl_d_leave(conversation: FakeConversation, keyboard: PipeInput, key: str) -> None:
    """Both end the chat cleanly, after scrolling, too."""
    await run(conversation, keyboard, "\x1b[5~\x1b[5~\x1b[6~", key)
    assert conversation.typed == []


async def test_end_of_the_device_ends_the_screen(conversation: FakeConversation, keyboard: PipeInput) -> None:
    """What ended the device is raised where the screen was run."""
    conversation.error = Closed("the device is closed")
    with pytest.raises(Closed):
        await run(conversation, keyboard, "hello\r")
