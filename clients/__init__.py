"""Where the keys live: enterprises, their people's devices, and what these send and receive.

```python
async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
    alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
    async with alice, bob:
        receipt = await alice.send("bob@globex.example", "Shall we meet?")
        message = await bob.receive()
        await receipt.read()
```

This list is the public surface; modules behind it may change. A module is imported when something of it is asked for: whoever
reads public logs (`auditor`) does it without any code that could decrypt.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from blindrelay.clients.content import Group
    from blindrelay.clients.device import Device
    from blindrelay.clients.enterprise.enterprise import Enterprise
    from blindrelay.clients.errors import (
        AdmissionRefused,
        AuthorityError,
        ClientError,
        Closed,
        ConnectionLost,
        ContentTooLarge,
        DeliveryRefused,
        Expired,
        HistoryRejected,
        HungUp,
        IdentityRejected,
        NoDeliveryToken,
        NotEnrolled,
        NotPossible,
        RelayUnreachable,
        RequestRefused,
        StoreDamaged,
        StoreError,
        StoreFailed,
        StoreInUse,
        StoreTooNew,
        TimedOut,
        UnknownRecipient,
        Unreadable,
        WrongPassphrase,
    )
    from blindrelay.clients.mail import Attachment, MailMessage
    from blindrelay.clients.message import Message, News, Update
    from blindrelay.clients.notices import KeptNotice
    from blindrelay.clients.options import Options, Posture
    from blindrelay.clients.receipts import Receipt, Stage
    from blindrelay.clients.relay_address import RelayAddress
    from blindrelay.clients.sealed import Hygiene
    from blindrelay.protocol.notices import DisclosureNotice, Notice, ServiceNotice

__all__ = [
    "AdmissionRefused",
    "Attachment",
    "AuthorityError",
    "ClientError",
    "Closed",
    "ConnectionLost",
    "ContentTooLarge",
    "DeliveryRefused",
    "Device",
    "DisclosureNotice",
    "Enterprise",
    "Expired",
    "Group",
    "HistoryRejected",
    "HungUp",
    "Hygiene",
    "IdentityRejected",
    "KeptNotice",
    "MailMessage",
    "Message",
    "News",
    "NoDeliveryToken",
    "NotEnrolled",
    "NotPossible",
    "Notice",
    "Options",
    "Posture",
    "Receipt",
    "RelayAddress",
    "RelayUnreachable",
    "RequestRefused",
    "ServiceNotice",
    "Stage",
    "StoreDamaged",
    "StoreError",
    "StoreFailed",
    "StoreInUse",
    "StoreTooNew",
    "TimedOut",
    "UnknownRecipient",
    "Unreadable",
    "Update",
    "WrongPassphrase",
]

# Where the names are, the lightest first.
_MODULES: Final = (
    "blindrelay.clients.errors",
    "blindrelay.clients.relay_address",
    "blindrelay.protocol.notices",
    "blindrelay.clients.content",
    "blindrelay.clients.mail",
    "blindrelay.clients.receipts",
    "blindrelay.clients.message",
    "blindrelay.clients.sealed",
    "blindrelay.clients.options",
    "blindrelay.clients.notices",
    "blindrelay.clients.device",
    "blindrelay.clients.enterprise.enterprise",
)

if not TYPE_CHECKING:  # it would take every misspelt name for one that is there

    def __getattr__(name: str) -> object:
        """PEP 562: a name of the list, when it is asked for."""
        if name in __all__:
            for module in map(import_module, _MODULES):
                if hasattr(module, name):
                    return globals().setdefault(name, getattr(module, name))
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
