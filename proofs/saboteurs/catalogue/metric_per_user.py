"""A counter has one label too many: how often each user is looked up, at the endpoint that a collector scrapes.

Whoever reads the dashboards sees who is about to be written to. Modelled on God View, with which Uber's staff could follow
single customers (2014), and on `user_id` labels, which every guide to metrics warns of.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any

from blindrelay.proofs.checks.model import Lock
from blindrelay.proofs.evidence.scope import Stage
from blindrelay.proofs.saboteurs.model import Saboteur


def _in_relay() -> None:
    from prometheus_client.core import CounterMetricFamily

    from blindrelay.relay.directory import Directory
    from blindrelay.relay.operations.metrics import Numbers

    counts: Counter[str] = Counter()
    look_up, collect = Directory.look_up_user, Numbers.collect

    async def counting(self: Directory, identity: Any, request: Any) -> Any:
        counts[str(request.user)] += 1
        return await look_up(self, identity, request)

    def and_more(self: Numbers) -> Iterator[Any]:
        yield from collect(self)
        family = CounterMetricFamily("blindrelay_lookups_total", "how often users are looked up", labels=["user"])
        for user, count in counts.items():
            family.add_metric([user], count)
        yield family

    Directory.look_up_user = counting
    Numbers.collect = and_more


SABOTEUR = Saboteur(
    name="metric-per-user",
    title="the relay shows its metrics collector how often each user is looked up",
    lock=Lock.FORM,
    modelled_on="dashboards of single persons (Uber, God View, 2014)",
    caught_by=frozenset({("inventory", "metric")}),
    shows_in=(Stage.TALK,),
    in_relay=_in_relay,
)
