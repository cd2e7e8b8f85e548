"""The chat's screen: what was said above, a line about the conversation, and a line to type in."""

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import WordCompleter
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import FormattedText
from prompt_toolkit.history import InMemoryHistory
from prompt_toolkit.input import Input
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.layout import HSplit, Layout, Window
from prompt_toolkit.layout.controls import FormattedTextControl
from prompt_toolkit.output import Output
from prompt_toolkit.widgets import TextArea

from blindrelay.cli.conversation import Conversation
from blindrelay.cli.transcript import Fragment

_PAGE = 10


class Screen:
    """A full-screen application around a conversation.

    Args:
        source, target: a terminal's two ends; this process's own by default.
    """

    def __init__(self, conversation: Conversation, source: Input | None = None, target: Output | None = None) -> None:
        self._conversation = conversation
        self._scrolled = 0
        said = FormattedTextControl(
            lambda: FormattedText(conversation.transcript.fragments()),
            get_cursor_position=self._bottom,
            show_cursor=False,
        )
        self._typing = TextArea(
            height=1,
            prompt="> ",
            multiline=False,
            history=InMemoryHistory(),
            completer=WordCompleter(list(conversation.commands), sentence=True),
            accept_handler=self._accept,
        )
        self._application: Application[None] = Application(
            layout=Layout(
                HSplit(
                    [
                        Window(said, wrap_lines=True),
                        Window(FormattedTextControl(lambda: FormattedText(self._status())), height=1, style="reverse"),
                        self._typing,
                    ]
                ),
                focused_element=self._typing,
            ),
            key_bindings=self._keys(),
            full_screen=True,
            input=source,
            output=target,
        )

    async def run(self) -> None:
        """Show it until the user leaves; raises what ends the device."""
        await self._application.run_async()

    def refresh(self) -> None:
        """Something looks different now."""
        self._application.invalidate()

    def _accept(self, buffer: Buffer) -> bool:
        self._scrolled = 0
        self._application.create_background_task(self._enter(buffer.text))
        return False  # and the line is empty again

    async def _enter(self, typed: str) -> None:
        try:
            await self._conversation.enter(typed)
        except Exception as error:  # noqa: BLE001 - it ends the application, which raises it
            self._leave(error)
        if self._conversation.over:
            self._leave()

    def _leave(self, error: Exception | None = None) -> None:
        if self._application.is_running and not (self._application.future and self._application.future.done()):
            self._application.exit(exception=error) if error else self._application.exit()

    def _bottom(self) -> Point:
        """Where the view is anchored: the last line, or further up after PageUp."""
        last = sum(text.count("\n") for _, text in self._conversation.transcript.fragments())
        self._scrolled = min(self._scrolled, last)
        return Point(0, last - self._scrolled)

    def _status(self) -> list[Fragment]:
        conversation = self._conversation
        posture = "sealed" if conversation.sealed else "standard"
        return [("", f" {conversation.device.address}  with  {conversation.name}   {posture}   /help ")]

    def _keys(self) -> KeyBindings:
        keys = KeyBindings()

        @keys.add("c-c")
        @keys.add("c-d")
        def _(_event: KeyPressEvent) -> None:
            self._leave()

        @keys.add("pageup")
        def _(_event: KeyPressEvent) -> None:
            self._scrolled += _PAGE

        @keys.add("pagedown")
        def _(_event: KeyPressEvent) -> None:
            self._scrolled = max(0, self._scrolled - _PAGE)

        return keys
