"""Who takes part: an enterprise in each jurisdiction that there is a policy pack for, its people and their devices."""

import asyncio
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from blindrelay.clients.connection import Backoff
from blindrelay.clients.device import Device
from blindrelay.clients.enterprise.ca import DEVICE_LIFETIME, Validity
from blindrelay.clients.enterprise.enterprise import Enterprise
from blindrelay.clients.keystore import KeyStore
from blindrelay.clients.options import Options
from blindrelay.clients.relay_address import RelayAddress
from blindrelay.clients.sealed import Hygiene
from blindrelay.clients.vault import CHEAP
from blindrelay.proofs.evidence import keys
from blindrelay.proofs.evidence.canaries import Kind, Registry
from blindrelay.proofs.evidence.manifest import DeviceFacts, TenantFacts
from blindrelay.protocol.certificates import fingerprint
from blindrelay.protocol.clock import Clock

#: Jurisdiction -> enterprise -> person -> devices. The first person of each is whom authorities ask about.
PEOPLE: Final[dict[str, tuple[str, dict[str, tuple[str, ...]]]]] = {
    "us": ("acme.example", {"alice": ("laptop", "phone"), "carol": ("desktop", "archive")}),
    "eu": ("globex.example", {"bob": ("phone",), "dave": ("tablet",)}),
    "uk": ("thames.example", {"tom": ("laptop",)}),
    "pk": ("indus.example", {"ayesha": ("phone",)}),
    "in": ("ganges.example", {"ravi": ("phone",)}),
    "au": ("outback.example", {"mia": ("tablet",), "noah": ("phone",)}),
}
ARCHIVE: Final = "archive"
_BACKDATED: Final = timedelta(hours=1)
# The pauses that hide when somebody wrote are for people who have time; here they would only be waited for.
_OPTIONS: Final = Options(
    hygiene=Hygiene(opening=(0.0, 0.02), receipt=(0.0, 0.02), idle=(30.0, 30.0)),
    backoff=Backoff(first=0.05, most=1.0),
    farewell=2.0,
)
# Device in a folder of its own, under a passphrase; the others live in memory.
_ON_DISK: Final = ("alice", "phone")


class Cast:
    """Everybody, by address (`acme.example/alice/laptop`). Enter it to have them enrolled; devices are connected by whoever
    wants them to be.

    Args:
        relay: where they connect.
        folder: for the key store of the device that has one on disk.
    """

    def __init__(self, relay: RelayAddress, folder: Path, clock: Clock, registry: Registry) -> None:
        self.devices: dict[str, Device] = {}
        self.enterprises: dict[str, Enterprise] = {}
        self._relay = relay
        self._folder = folder
        self._clock = clock
        self._registry = registry
        self._stack = AsyncExitStack()
        self._stores: dict[str, KeyStore] = {}

    async def __aenter__(self) -> "Cast":
        began = datetime.fromtimestamp(int(self._clock.now()), UTC)
        try:
            for jurisdiction, (name, people) in PEOPLE.items():
                enterprise = Enterprise.create(
                    name,
                    self._relay,
                    clock=self._clock,
                    options=_OPTIONS,
                    # The run's clock goes on by weeks, and TLS asks the machine's: what is issued late has to be good for both.
                    validity=Validity(began - _BACKDATED, began + DEVICE_LIFETIME),
                    jurisdiction=jurisdiction,
                )
                self.enterprises[name] = await self._stack.enter_async_context(enterprise)
                for user, devices in people.items():
                    for device in devices:
                        await self._enrol(enterprise, user, device)
        except BaseException:
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    async def _enrol(self, enterprise: Enterprise, user: str, name: str) -> None:
        about = f"{user}@{enterprise.name}"
        options = replace(_OPTIONS, display_name=self._registry.text(Kind.DISPLAY_NAME, f"of {about} on {name}"))
        if (user, name) == _ON_DISK:
            place = self._folder / "device"
            passphrase = self._registry.text(Kind.PASSPHRASE, f"of {about}'s {name}")
            address = await enterprise.issue(user, name, place, passphrase, cost=CHEAP)
            device = await asyncio.to_thread(
                Device.open, place, passphrase, self._relay, options=options, clock=self._clock
            )
            device._owns_store = False  # we look into it after it has been left
            self._stack.callback(device.close)
        else:
            device = await enterprise.enrol(user, name, archive=name == ARCHIVE, options=options)
            address = device.address
        self.devices[str(address)] = device
        self._stores[str(address)] = device._store
        keys.plant_keys(device._store, str(address), self._registry)

    def device(self, user: str, name: str | None = None) -> Device:
        """Somebody's device, the first unless it is named: `alice`, or `alice`, `phone`."""
        for address, device in self.devices.items():
            _, who, which = address.split("/")
            if who == user and name in {None, which}:
                return device
        raise KeyError(user)

    def everybody(self, without: Iterable[Device] = ()) -> list[Device]:
        """All devices, but those named."""
        return [device for device in self.devices.values() if device not in set(without)]

    def plant_session_keys(self) -> None:
        """Plant the keys of every session as they are now."""
        for address, store in self._stores.items():
            keys.plant_session_keys(store, address, self._registry)

    def plant_enterprise_keys(self) -> None:
        """Plant what enterprises keep to themselves."""
        for name, enterprise in self.enterprises.items():
            key = enterprise.authority._key
            der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
            self._registry.secret(Kind.PRIVATE_KEY, f"{name}'s root key", keys.scalar(der))
            self._registry.secret(Kind.PRIVATE_KEY, f"{name}'s token secret", enterprise.authority._secret)

    def tenants(self) -> dict[str, TenantFacts]:
        """For the manifest."""
        return {
            name: TenantFacts(
                root=enterprise.authority.root.public_bytes(Encoding.DER),
                jurisdiction=enterprise.jurisdiction or "",
                enrolled=[str(address) for address in enterprise.devices()],
            )
            for name, enterprise in self.enterprises.items()
        }

    def facts(self) -> dict[str, DeviceFacts]:
        """For the manifest."""
        return {address: _facts(device) for address, device in self.devices.items()}


def _facts(device: Device) -> DeviceFacts:
    identity = device._running.identity
    # One that was never looked up is known by its own introduction, and written to with nothing but receipts.
    shown = {
        str(each.address): each in contact.archives or (each.archive and not each.listed)
        for contact in device.contacts()
        for each in contact.devices
    }
    return DeviceFacts(
        sealing_seeds=[pair.seeds for pair in identity.sealing_keys],
        identity_key=identity.ratchet.identity_key,
        certificate_sha256=fingerprint(identity.certificate),
        token_sha256=identity.token.verifier,
        is_archive=device.address.device == ARCHIVE,
        view=shown,
    )
