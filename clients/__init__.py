"""Where the keys live: enterprises, their people's devices, and what these send and receive.

```python
async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
    alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
    async with alice, bob:
        receipt = await alice.send("bob@globex.example", "Shall we meet?")
        message = await bob.receive()
        await receipt.read()
```

This list is the public surface; modules behind it may change.
"""

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
