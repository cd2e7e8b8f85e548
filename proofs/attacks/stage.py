"""Where attacks take place: a relay in this process, an honest witness where there is one, and two enterprises around it."""

import asyncio
import contextlib
import socket
import time
from collections.abc import Awaitable, Callable, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Self, TypeVar

from blindrelay.clients.connection import Backoff
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.errors import IdentityRejected
from blindrelay.clients.options import Options
from blindrelay.clients.receipts import Receipt
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.proofs.attacks.insider import Carried, Insider
from blindrelay.proofs.attacks.model import Noticed, Play, Scene
from blindrelay.proofs.attacks.thief import Thief
from blindrelay.proofs.scenarios.clock import VirtualClock
from blindrelay.protocol.address import UserAddress
from blindrelay.protocol.clock import SystemClock
from blindrelay.protocol.transparency import policy
from blindrelay.relay.config import Settings
from blindrelay.relay.datadir import DataDirectory
from blindrelay.relay.mqtt.listener import TimeLimits, listening_socket
from blindrelay.relay.server import Relay
from blindrelay.relay.transparency.keys import FOLDER as LOG_KEYS
from blindrelay.relay.transparency.keys import open_keys
from blindrelay.witness.service import Witness

#: Nothing on the loopback takes this long; what does is a failure. Seconds of the machine's clock.
PATIENCE: Final = 30.0
#: Without receipts and profiles, an envelope that leaves is a letter that somebody wrote.
OPTIONS: Final = Options(
    read_receipts=False,
    delivery_receipts=False,
    share_profile=False,
    hygiene=Hygiene(opening=(0.0, 0.0), receipt=(0.0, 0.0), idle=(5.0, 5.0)),
    backoff=Backoff(first=0.02, most=0.1),
    timeout=PATIENCE,
)
#: Client and relay take a list of devices for current for a minute: after this long it is asked for again. Seconds.
A_WHILE: Final = 61.0
#: What the victim writes.
WORDS: Final = "This is for you alone."
T = TypeVar("T")
_ORIGIN: Final = "relay.example"
_TIMES: Final = TimeLimits(linger=0.05, sweep=0.05)


class Stage:
    """An async context manager: inside, the relay runs, and alice@acme.example and bob@globex.example are connected.

    Args:
        folder: for everything; empty.
        witnessed: whether the log is published with a witness's cosignature, and the clients want it.
    """

    relay: Relay
    insider: Insider
    acme: Enterprise
    globex: Enterprise
    alice: Device
    bob: Device
    witness: Witness | None

    def __init__(self, folder: Path, *, witnessed: bool = False) -> None:
        self.folder = folder
        self.data = folder / "relay"
        # OpenSSL asks the machine's clock whether a certificate is valid yet: time here runs behind it.
        self.clock = VirtualClock(datetime.fromtimestamp(int(SystemClock().now()), UTC) - timedelta(days=1))
        #: What each party sees, in order.
        self.sees: list[tuple[str, str]] = []
        #: Who reads what the relay carries.
        self.thieves: list[Thief] = []
        self.victim: Device
        self.seconds = 0.0
        self._witnessed = witnessed
        self._began = 0  # with which envelope
        self._since = 0.0
        self._before: list[Carried] = []  # by relays that ran before
        self._open = contextlib.AsyncExitStack()
        self._running = contextlib.AsyncExitStack()
        self._door: socket.socket

    async def __aenter__(self) -> Self:
        async with contextlib.AsyncExitStack() as stack:
            self._open = stack
            self._door = listening_socket("127.0.0.1", 0)
            stack.callback(self._door.close)
            DataDirectory.open(self.data, now=self.clock.now()).close()
            self.witness = await stack.enter_async_context(await self._new_witness()) if self._witnessed else None
            stack.push_async_callback(self._stop_relay)
            await self.start_relay()
            self.acme = await self.enterprise("acme.example")
            self.globex = await self.enterprise("globex.example")
            self.alice = await self.person(self.acme, "alice", "laptop")
            self.bob = await self.person(self.globex, "bob", "phone")
            self.victim = self.alice
            self._open = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._open.aclose()

    # Parts.

    async def _new_witness(self) -> Witness:
        """An honest witness that knows the relay's log, which has its key before it has anything else."""
        (key,) = open_keys(self.data / LOG_KEYS, "directory", _ORIGIN)
        return Witness(self.folder / "witness", [key.verifier], name="witness.example", clock=self.clock)

    async def start_relay(self) -> None:
        """Start the relay on what is in its folder."""
        witnesses = [] if self.witness is None else [str(self.witness_line(self.witness))]
        settings = Settings.model_validate(
            {
                "data_dir": self.data,
                "desk": {"enabled": False},
                "operations": {"enabled": False},
                "logs": {"origin": _ORIGIN, "https_port": 0, "witnesses": witnesses},
            }
        )
        self.relay = await self._running.enter_async_context(Relay(settings, self.clock, times=_TIMES, door=self._door))
        self.insider = Insider(self.relay)

    async def _stop_relay(self) -> None:
        await self._running.aclose()
        self._running = contextlib.AsyncExitStack()

    async def restart_relay(self, meanwhile: Callable[[], object]) -> None:
        """Stop the relay, do something to its folder, and start it again at the same address."""
        self._before += self.insider.carried
        await self._stop_relay()
        meanwhile()
        await self.start_relay()

    @staticmethod
    def witness_line(witness: Witness) -> policy.Witness:
        """How a log's policy names a witness."""
        return policy.Witness("witness", witness.key, witness.url)

    @property
    def address(self) -> RelayAddress:
        """What clients are told about the relay, the policy of its log included."""
        relay = self.relay
        return RelayAddress(
            relay.host,
            relay.port,
            relay.certificate.read_bytes(),
            relay.registration_code,
            str(relay.directory_log.log.settings.trust),
        )

    # People.

    async def enter(self, context: "contextlib.AbstractAsyncContextManager[T]") -> T:
        """Enter something for as long as the stage stands."""
        return await self._open.enter_async_context(context)

    def at_the_end(self, undo: Callable[[], object]) -> None:
        """Do something when the stage is left."""
        self._open.callback(undo)

    def spawn(self, work: "Coroutine[Any, Any, T]") -> "asyncio.Task[T]":
        """Let something happen meanwhile."""
        task = asyncio.ensure_future(work)
        self.at_the_end(task.cancel)
        return task

    async def enterprise(self, name: str) -> Enterprise:
        """An enterprise, known to the relay."""
        return await self.enter(Enterprise.create(name, self.address, clock=self.clock, options=OPTIONS))

    def compelled(self, enterprise: Enterprise) -> Authority:
        """An enterprise's CA in the hands of somebody who keeps no books: it is compelled, or its key is stolen."""
        authority = enterprise.authority
        return Authority(authority.root, authority._key, authority._secret, self.clock)

    async def person(self, enterprise: Enterprise, user: str, device: str = "phone") -> Device:
        """Somebody's device, connected."""
        return await self.enter(await enterprise.enrol(user, device, announce=False))

    async def converse(self, one: Device, other: Device) -> None:
        """They write to each other, and all is well."""
        for sender, reader, words in ((one, other, "Are you there?"), (other, one, "I am.")):
            await sender.send(reader.user, words)
            message = await reader.receive(PATIENCE)
            assert message.text == words  # noqa: S101 - else it is not a beginning in peace

    async def wait_taken(self, device: Device) -> None:
        """Wait until a device has taken everything that the relay has for it."""
        account = self.relay.accounts.device(device.address)
        mailbox = None if account is None else self.relay.accounts.mailbox(account.account_id)
        async with asyncio.timeout(PATIENCE):
            while mailbox is not None and mailbox.waiting:  # noqa: ASYNC110 - a counter that nobody signals
                await asyncio.sleep(0.002)

    def leap(self, seconds: float) -> None:
        """Move everybody's clock on."""
        self.clock.advance_to(self.clock.moment + timedelta(seconds=seconds))

    # The attack.

    def tell(self, party: str, what: str) -> None:
        """Note what a party sees or does."""
        self.sees.append((party, what))

    def notice(self, party: str, check: str, error: str) -> Noticed:
        """Note that a party has noticed."""
        self.seconds = time.monotonic() - self._since
        self.tell(party, error)
        return Noticed(party, check, error)

    def begin(self) -> None:
        """The relay is malicious from now on. What clients have looked up before is not current any more."""
        self.leap(A_WHILE)
        self._began = len(self._carried)
        self._since = time.monotonic()

    async def attempt(self, party: str, act: Callable[[], Awaitable[Receipt]]) -> Noticed | None:
        """Let somebody write: who has noticed, or None when the relay has taken the letter."""
        try:
            receipt = await act()
            await receipt.accepted(PATIENCE)
        except IdentityRejected as error:
            return self.notice(party, error.check, str(error))
        finally:
            self.seconds = time.monotonic() - self._since
        self.tell(party, "the letter was sent, and nothing was noticed")
        return None

    async def write(self, sender: Device | None = None, to: UserAddress | None = None) -> Noticed | None:
        """Let the victim write, alice to bob by default."""
        self.victim = device = sender or self.alice
        recipient = to or self.bob.user
        return await self.attempt(f"{device.user.user}'s client", lambda: device.send(recipient, WORDS))

    # What came of it.

    @property
    def _carried(self) -> list[Carried]:
        return [*self._before, *self.insider.carried]

    def loot(self) -> list[Carried]:
        """What the victim's client has let go since the attack began."""
        return [each for each in self._carried[self._began :] if each.sender == str(self.victim.address)]

    async def read(self) -> tuple[str, ...]:
        """What the thieves can read of that."""
        root = await self.insider.root_of(self.victim.address.tenant)
        found = (thief.read(each.message_id, each.payload, root) for each in self.loot() for thief in self.thieves)
        return tuple(words for words in found if words is not None)

    async def scene(self, noticed: Noticed | None) -> Scene:
        """All of it."""
        return Scene(noticed, tuple(self.sees), self.seconds, len(self.loot()), await self.read())


def on_stage(act: Callable[[Stage], Awaitable[Noticed | None]], *, witnessed: bool = False) -> Play:
    """An attack that takes place on a stage; `act` returns who has noticed it."""

    async def play(folder: Path) -> Scene:
        async with Stage(folder, witnessed=witnessed) as stage:
            return await stage.scene(await act(stage))

    return play
