"""The process that makes and opens a large package: `python -m benchmarks.packaging FOLDER RECORDS`, an answer in JSON."""

import json
import resource
import secrets
import sqlite3
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from time import perf_counter

from blindrelay.clients.authority.package import Package
from blindrelay.clients.envelope import SealingKeyPair
from blindrelay.policies.decision import ClassDecision, DemandDecision
from blindrelay.policies.request import Authorisation, Target, TargetFormat, Timespan
from blindrelay.policies.vocabulary import DataClass, Outcome, Purpose, TaskStatus, Urgency
from blindrelay.protocol.clock import SystemClock
from blindrelay.relay.desk.identity import DeskIdentity
from blindrelay.relay.desk.package import PackageMaker
from blindrelay.relay.desk.ports import PackageOrder
from blindrelay.relay.store.metadata import open_metadata_reader
from blindrelay.relay.store.sqlite import SqliteStore

_SINCE = 1_700_000_000
_DAY = 86_400


def remember(database: Path, number: int) -> None:
    """A day of `number` messages of account 1, and of as many between others, in turns."""
    SqliteStore.open(database).close()
    connection = sqlite3.connect(database)
    with connection:
        connection.execute("INSERT INTO tenant (name, root, registered_day) VALUES ('acme.example', x'', 1)")
        connection.execute(
            "INSERT INTO device (account_id, tenant, user, device, certificate, registered_day) "
            "VALUES (1, 'acme.example', 'alice', 'laptop', x'', 1)"
        )
        connection.execute(
            "WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT ?) "
            "INSERT INTO traffic (message_id, sender_id, recipient_id, accepted_at, size) "
            "SELECT randomblob(16), 1 + i % 2, 3 + i % 499, ? + i * ? / ?, 2048 FROM n",
            (2 * number, _SINCE, _DAY, 2 * number),
        )
    connection.close()


def order(key: bytes) -> PackageOrder:
    """All traffic of alice's on that day."""
    window = Timespan(start=datetime.fromtimestamp(_SINCE, UTC), end=datetime.fromtimestamp(_SINCE + _DAY, UTC))
    target = Target(format=TargetFormat.USER, value="alice@acme.example")
    status = TaskStatus.AWAITING_DISCLOSURE
    granted = ClassDecision(DataClass.TRAFFIC, Outcome.GRANTED, None, status, (target,), window, ())
    return PackageOrder(
        "00000000-0000-4000-8000-000000000001",
        "d1",
        DemandDecision("d1", Outcome.GRANTED, None, status, (granted,), ()),
        Authorisation(
            reference="benchmark",
            instrument="us/d-order",
            jurisdiction="us",
            timespan=window,
            approvals=[],
            urgency=Urgency.ROUTINE,
            non_disclosure=None,
            purpose=Purpose.INVESTIGATE,
            offence_max_years=None,
        ),
        "benchmark",
        "Benchmark",
        request_id="00000000-0000-4000-8000-000000000002",
        package_key=key,
        made_at=datetime.fromtimestamp(_SINCE + _DAY, UTC),
    )


def peak() -> int:
    """Resident bytes of this process, the most that there were."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1_024


def main() -> None:
    """Measure."""
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    folder.mkdir(parents=True)
    remember(folder / "relay.db", number)
    identity = DeskIdentity.open(folder, SystemClock())
    key = SealingKeyPair.generate()
    out = folder / f"{secrets.token_hex(4)}.package"

    memory, begin = peak(), perf_counter()
    made = PackageMaker(partial(open_metadata_reader, folder / "relay.db"), identity).write(order(key.public), out)
    written, write_memory = perf_counter(), peak()
    with Package.open(out, key, identity.certificate) as package:
        verified = perf_counter()
        records = sum(1 for _ in package.records(DataClass.TRAFFIC))
    answer = {
        "write": written - begin,
        "write_memory": write_memory - memory,
        "verify": verified - written,
        "read": perf_counter() - verified,
        "open_memory": peak() - write_memory,
        "size": made.size,
        "records": records,
    }
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main()
