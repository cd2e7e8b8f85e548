"""What a delivery sends comes from the store page by page; this brings the pages."""

from typing import TYPE_CHECKING, Final

from mqtt5 import DisconnectReasonCode

from blindrelay.relay.errors import StoreAway
from blindrelay.relay.mailbox import Delivery
from blindrelay.relay.ports import Envelope

if TYPE_CHECKING:
    from blindrelay.relay.exchange import Exchange

# How many mailboxes one look at the store is for, at most: of `mailbox.PAGE_BYTES` each.
PAGES_AT_ONCE: Final = 64


class Pages:
    """The part of the exchange that reads envelopes from the store."""

    def __init__(self, exchange: "Exchange") -> None:
        self._exchange = exchange
        self._wanted: list[Delivery] = []
        self._is_asking = False

    def fetch(self, delivery: Delivery) -> None:
        """Bring a delivery its next page."""
        if self._exchange.neighbours is None:
            self._exchange.spawn(self._fetch(delivery))
            return
        # Much of the mail comes from other nodes. What is wanted while somebody is asking is asked for together.
        self._wanted.append(delivery)
        if not self._is_asking:
            self._is_asking = True
            self._exchange.spawn(self._fetch_wanted())

    async def _fetch_wanted(self) -> None:
        try:
            while self._wanted:
                wanted, self._wanted = self._wanted[:PAGES_AT_ONCE], self._wanted[PAGES_AT_ONCE:]
                # Of those that are still there: a mailbox has one.
                await self._fetch_together([each for each in wanted if each.peer.delivery is each])
        finally:
            self._is_asking = False

    async def _fetch_together(self, wanted: list[Delivery]) -> None:
        if not wanted:
            return
        known = [delivery.mailbox.committed for delivery in wanted]
        asked = [(each.mailbox.account_id, each.read_up_to, *each.page_bounds()) for each in wanted]
        try:
            pages = await self._exchange.committer.fetch_many(asked)
        except StoreAway:
            for delivery in wanted:
                self._exchange.end(
                    delivery.peer, DisconnectReasonCode.SERVER_BUSY, "the relay's database cannot be reached"
                )
            return
        for delivery, page, before in zip(wanted, pages, known, strict=True):
            delivery.page(list[Envelope](page), known=before)
            delivery.peer.flush()

    async def _fetch(self, delivery: Delivery) -> None:
        known = delivery.mailbox.committed
        count, size = delivery.page_bounds()
        page: list[Envelope] = []
        try:
            page.extend(
                await self._exchange.committer.fetch(delivery.mailbox.account_id, delivery.read_up_to, count, size)
            )
        except StoreAway:
            self._exchange.end(
                delivery.peer, DisconnectReasonCode.SERVER_BUSY, "the relay's database cannot be reached"
            )
            return
        delivery.page(page, known=known)
        delivery.peer.flush()
