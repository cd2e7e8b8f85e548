"""An enterprise: its own certificate authority, and what it asks of the relay."""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from blindrelay.clients.connection import Connection, Credentials
from blindrelay.clients.device import STORE_FILE, Device
from blindrelay.clients.enterprise.ca import Authority, Validity
from blindrelay.clients.errors import AdmissionRefused, HungUp, NotEnrolled, NotPossible, RequestRefused
from blindrelay.clients.identity import OwnIdentity
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.notices import check
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.tls import anonymous_context, identified_context
from blindrelay.clients.vault import Cost
from blindrelay.protocol.address import DeviceAddress, check_jurisdiction
from blindrelay.protocol.clock import Clock, SystemClock
from blindrelay.protocol.credentials import REGISTRAR
from blindrelay.protocol.notices import AskNotices, Notice
from blindrelay.protocol.rpc import (
    LEAVE_RELAY,
    LOG_POLICIES,
    LOOK_UP_TENANT,
    NOTICES,
    REGISTER_TENANT,
    REVOKE_DEVICE,
    Empty,
    ErrorCode,
    LeaveRelay,
    LookUpTenant,
    RegisterTenant,
    RevokeDevice,
)
from blindrelay.protocol.statements import RevocationReason
from blindrelay.protocol.transparency.policy import Trust

Result = TypeVar("Result")

# Deriving a store's key costs 64 MiB and a tenth of a second, on purpose; the event loop is not kept waiting.
_FOLDER_MODE: Final = 0o700
_JURISDICTION: Final = "jurisdiction"
# Everything that a relay holds of an enterprise is deleted before it answers. Seconds.
_LEAVING_PATIENCE: Final = 120.0


class Enterprise:
    """A tenant, on its own side. An async context manager: entering it makes sure that the relay knows its root.

    ```python
    async with Enterprise.create("acme.example") as acme:
        alice = await acme.enrol("alice", "laptop")
    ```
    """

    def __init__(
        self,
        authority: Authority,
        relay: RelayAddress | None = None,
        *,
        clock: Clock | None = None,
        options: Options | None = None,
        timeout: float = 10.0,
        jurisdiction: str | None = None,
    ) -> None:
        self._authority = authority
        self.jurisdiction = jurisdiction
        self._relay = relay
        self._clock = clock or SystemClock()
        self._options = options
        self._timeout = timeout
        self._devices: list[Device] = []

    @classmethod
    def create(
        cls,
        name: str,
        relay: RelayAddress | None = None,
        *,
        folder: Path | None = None,
        passphrase: str | None = None,
        clock: Clock | None = None,
        options: Options | None = None,
        cost: Cost | None = None,
        validity: Validity | None = None,
        jurisdiction: str | None = None,
    ) -> Self:
        """A new enterprise with a new root.

        Args:
            name: a domain, such as `acme.example`.
            relay: see `RelayAddress.find` for which it is when none is named; it is looked for when it is needed.
            folder: where to keep the authority; without one it is in memory, and gone at the end.
            passphrase: seals the folder's secrets.
            options: for the devices that are enrolled here.
            validity: of the root and all that is issued here, where the clock is not the machine's.
            jurisdiction: where it is at home, such as `us`: told to the relay when it registers. Without one no authority has
                jurisdiction over its people by their enterprise's seat, and no suspension concerns them.

        Raises:
            Malformed: `name` is not a tenant's name, or `jurisdiction` no jurisdiction.
            AuthorityError: `folder` holds an authority already, or cannot be written.
        """
        own_clock = clock or SystemClock()
        if jurisdiction is not None:
            check_jurisdiction(jurisdiction)
        authority = Authority.create(name, own_clock, folder, passphrase, cost, validity=validity)
        if folder is not None and jurisdiction is not None:
            (folder / _JURISDICTION).write_text(f"{jurisdiction}\n")
        return cls(authority, relay, clock=own_clock, options=options, jurisdiction=jurisdiction)

    @classmethod
    def open(
        cls,
        folder: Path,
        relay: RelayAddress | None = None,
        *,
        passphrase: str | None = None,
        clock: Clock | None = None,
        options: Options | None = None,
        jurisdiction: str | None = None,
    ) -> Self:
        """An enterprise that `create` kept in `folder`, jurisdiction and all; one that is named here counts more.

        Raises:
            AuthorityError: see `Authority.open`.
            Malformed: `jurisdiction` is none.
        """
        own_clock = clock or SystemClock()
        authority = Authority.open(folder, own_clock, passphrase)
        kept = folder / _JURISDICTION
        if jurisdiction is None and kept.exists():
            jurisdiction = kept.read_text().strip()
        if jurisdiction is not None:
            check_jurisdiction(jurisdiction)
        return cls(authority, relay, clock=own_clock, options=options, jurisdiction=jurisdiction)

    def __repr__(self) -> str:
        return f"Enterprise({self.name})"

    @property
    def name(self) -> str:
        """The tenant's name."""
        return self._authority.tenant

    @property
    def authority(self) -> Authority:
        """Its certificate authority."""
        return self._authority

    @property
    def relay(self) -> RelayAddress:
        """The relay; raise `NotEnrolled` when there is none to be found."""
        if self._relay is None:
            self._relay = RelayAddress.find()
        return self._relay

    async def __aenter__(self) -> Self:
        """Register with the relay, unless it knows this root already. Raises as `register`."""
        await self.register()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the key stores of devices that live in memory. What is on disk stays."""
        for device in self._devices:
            device.close()
        self._devices.clear()

    async def register(self) -> None:
        """Introduce this enterprise's root to the relay. Doing it twice is the same as once.

        Raises:
            NotEnrolled: this enterprise is unknown to the relay, and there is no registration code.
            RequestRefused: the name is registered under another root, or in another jurisdiction.
            RelayUnreachable, AdmissionRefused, TimedOut
        """
        if self.relay.registration_code is None:
            await self._check_registered()
            return
        root = self._authority.root.public_bytes(Encoding.DER)
        registration = RegisterTenant(tenant=self.name, root=root, jurisdiction=self.jurisdiction)
        try:
            await self._as_registrar(lambda relay: relay.call(REGISTER_TENANT, registration))
        except RequestRefused as refused:
            if refused.code != ErrorCode.CONFLICT:
                raise
            raise RequestRefused(
                refused.code,
                f"{self.name} is registered with this relay under another root: open the enterprise that has it "
                "(Enterprise.open), choose another name, or use a relay with a fresh data directory",
            ) from refused

    async def _check_registered(self) -> None:
        try:
            entry = await self._as_administrator(
                lambda relay: relay.call(LOOK_UP_TENANT, LookUpTenant(tenant=self.name))
            )
        except (AdmissionRefused, HungUp) as refused:
            raise NotEnrolled(
                f"the relay does not know {self.name}, and there is no registration code to introduce it with: "
                "`blindrelay up` shows the code, BLINDRELAY_REGISTRATION_CODE passes it on"
            ) from refused
        if entry.root != self._authority.root.public_bytes(Encoding.DER):
            raise NotPossible(f"{self.name} is registered with this relay under another root")

    async def enrol(
        self, user: str, device: str, *, archive: bool = False, announce: bool = True, options: Options | None = None
    ) -> Device:
        """A new device, whose keys are in memory and gone when the enterprise is left.

        Args:
            archive: a compliance archive, which everybody who writes to the user is shown.
            announce: connect once, so that the device can be written to before it is entered for the first time.

        Raises:
            Malformed: a name is not one.
            RelayUnreachable, AdmissionRefused, TimedOut: with `announce`.
        """
        store = KeyStore.in_memory()
        try:
            self._found(store, DeviceAddress(self.name, user, device), archive=archive)
            enrolled = Device(store, self.relay, clock=self._clock, options=options or self._options)
            if announce:
                async with enrolled:
                    pass
        except BaseException:
            store.close()
            raise
        self._devices.append(enrolled)
        return enrolled

    async def issue(
        self,
        user: str,
        device: str,
        folder: Path,
        passphrase: str,
        *,
        archive: bool = False,
        announce: bool = True,
        cost: Cost | None = None,
    ) -> DeviceAddress:
        """A new device in a folder of its own, sealed under `passphrase`: open it with `Device.open`.

        Raises:
            StoreFailed: there is a device in the folder already, or it cannot be written.
            RelayUnreachable, AdmissionRefused, TimedOut: with `announce`; the folder is complete all the same.
        """
        address = DeviceAddress(self.name, user, device)
        await asyncio.to_thread(folder.mkdir, _FOLDER_MODE, True, True)
        store = await asyncio.to_thread(KeyStore.create, folder / STORE_FILE, passphrase, cost)
        try:
            self._found(store, address, archive=archive)
            if announce:
                async with Device(store, self.relay, clock=self._clock, options=self._options):
                    pass
        finally:
            store.close()
        return address

    def _found(self, store: KeyStore, address: DeviceAddress, *, archive: bool) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        OwnIdentity.create(
            store,
            key=key,
            certificate=self._authority.issue_device(address, key.public_key(), archive=archive),
            root=self._authority.root,
            token=self._authority.delivery_token(address.owner),
            clock=self._clock,
        )

    def devices(self) -> list[DeviceAddress]:
        """All devices that were ever enrolled."""
        return self._authority.devices()

    async def revoke(
        self,
        user: str,
        device: str,
        reason: RevocationReason = RevocationReason.UNSPECIFIED,
    ) -> int:
        """Withdraw all certificates of a device: the relay ends its sessions, and admits it no more.

        Returns how many certificates that were. Cancelling leaves some of them withdrawn.

        Raises:
            NotEnrolled: this enterprise never enrolled such a device.
            RelayUnreachable, AdmissionRefused, RequestRefused, TimedOut
        """
        address = DeviceAddress(self.name, user, device)
        certificates = self._authority.certificates(address)
        if not certificates:
            raise NotEnrolled(f"{self.name} has enrolled no device {address}; it has {len(self.devices())} others")

        async def revoke_all(relay: Connection) -> None:
            for certificate in certificates:
                revocation = self._authority.revoke(certificate, reason)
                await relay.call(REVOKE_DEVICE, RevokeDevice(revocation=revocation))

        await self._as_administrator(revoke_all)
        return len(certificates)

    async def leave(self) -> bool:
        """Leave the relay for good: it admits none of this enterprise's devices any more, deletes what it holds of them, and
        never gives the name again. It cannot be undone. Returns False if it had been left before.

        Raises:
            NotEnrolled: the relay does not know this enterprise.
            RelayUnreachable, RequestRefused, TimedOut, AuthorityError
        """
        where = f"{self.relay.host}:{self.relay.port}"
        had_asked = self._authority.has_left(where)

        async def ask(relay: Connection) -> None:
            # Signed for this one relay, by what it signs its log with: nobody can show it to another.
            policies = await relay.call(LOG_POLICIES, Empty())
            leaving = self._authority.leave(str(Trust.parse(policies.directory).log), where)
            await relay.call(LEAVE_RELAY, LeaveRelay(leaving=leaving), _LEAVING_PATIENCE)

        try:
            await self._as_administrator(ask)
        except (AdmissionRefused, HungUp) as refused:
            if had_asked:
                return False  # whose answer did not come: the relay knows nobody of us any more
            raise NotEnrolled(f"the relay does not know {self.name}: it has left, or was never registered") from refused
        return True

    async def notices(self) -> list[Notice]:
        """What the relay tells this enterprise about the service where it is at home, the oldest first. Also while it is
        suspended: its administration is let in then, to withdraw devices and to ask this.

        Raises:
            IdentityRejected: a notice is not signed by the key that the relay names.
            RelayUnreachable, AdmissionRefused, RequestRefused, TimedOut
        """
        page = await self._as_administrator(lambda relay: relay.call(NOTICES, AskNotices()))
        return [notice for notice, _ in check(page, page.certificate, None)]

    # --- asking the relay

    async def _as_registrar(self, ask: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
        code = self.relay.registration_code or ""
        credentials = Credentials(anonymous_context(self.relay.ca), username=REGISTRAR, password=code.encode())
        return await self._ask(credentials, ask)

    async def _as_administrator(self, ask: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
        # A fresh key each time: nothing of the administration's lies around to be stolen but the root itself.
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._authority.issue_administrator(key.public_key())
        return await self._ask(Credentials(identified_context(self.relay.ca, certificate, key)), ask)

    async def _ask(self, credentials: Credentials, ask: Callable[[Connection], Coroutine[Any, Any, Result]]) -> Result:
        connection = Connection(self.relay.host, self.relay.port, credentials, clock=self._clock, timeout=self._timeout)
        try:
            await connection.start()
            return await ask(connection)
        finally:
            await connection.stop()
