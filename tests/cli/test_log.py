"""`blindrelay log`: browse, prove, verify, monitor a relay's public logs, with a relay as a process."""

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from blindrelay.cli.exit_codes import ExitCode
from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.transparency.entries import Bundle, pack, unpack
from blindrelay.protocol.transparency.policy import Trust
from blindrelay.protocol.transparency.proof import LogProof
from support.commands import Ran

Log = Callable[..., Ran]


@contextlib.contextmanager
def up(folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """A relay of the test's own, stopped in the end."""
    command = [
        sys.executable,
        "-m",
        "blindrelay",
        "up",
        "--port",
        "0",
        "--json",
        "--no-desk",
        "--data-dir",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as relay:
        assert relay.stdout is not None
        assert json.loads(relay.stdout.readline())["logs_port"]
        try:
            yield relay
        finally:
            relay.terminate()
            relay.wait(30)


@pytest.fixture
def log(office: Path, relay: Path, blindrelay: Callable[..., Ran], tmp_path: Path) -> Log:
    """`blindrelay log` about the module's relay; what it remembers is the test's own."""
    home = tmp_path / "home"
    shutil.copytree(office, home, symlinks=True)

    def call(command: str, *arguments: object) -> Ran:
        return blindrelay("log", command, "--home", home, "--relay", relay, *arguments)

    published(blindrelay, relay, 2)
    return call


def published(blindrelay: Callable[..., Ran], relay: Path, index: int) -> None:
    """Wait until the log has that entry: it follows what it records within milliseconds, and nobody waits for it."""
    where = ("--relay", relay, "--witnesses", 0, "--home", relay.parent / "looking")
    while not entries(blindrelay("log", "show", "--json", "--from", index, *where)):
        pass


def tenant(blindrelay: Callable[..., Ran], home: Path, *commands: str) -> None:
    """Commands of an enterprise, which succeed."""
    for command in commands:
        ran = blindrelay("tenant", *command.split(), "--home", home)
        assert ran.code == ExitCode.OK, ran.err


def entries(ran: Ran) -> list[dict[str, object]]:
    """What `--json` printed."""
    assert ran.code == ExitCode.OK, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


# Browsing.


def test_the_entries_are_shown_with_the_names_that_the_home_knows(log: Log) -> None:
    """The log has digests alone; an enterprise knows whose they are."""
    ran = log("show")
    first, second, third, *_ = ran.out.splitlines()
    assert ran.code == ExitCode.OK
    assert first.split()[:3] == ["0", "tenant", "acme.example"]
    assert second.split()[:4] == ["1", "device", "acme.example", "alice/laptop"]
    assert third.split()[:4] == ["2", "device", "acme.example", "bob/phone"]


def test_whoever_has_no_names_sees_digests(log: Log, tmp_path: Path) -> None:
    """Nobody's name is in the log."""
    shutil.rmtree(tmp_path / "home" / "tenants")
    ran = log("show")
    assert "account " in ran.out
    assert "alice" not in ran.out


@pytest.mark.parametrize(
    ("filters", "indices"),
    [
        (["--from", "1", "--to", "1"], [1]),
        (["--to", "1"], [0, 1]),
        (["--to", "2", "--kind", "device"], [1, 2]),
        (["--to", "2", "--kind", "revocation"], []),
        (["--to", "2", "--tenant", "acme.example"], [0, 1, 2]),
        (["--tenant", "hooli.example"], []),
        (["--account", "bob@acme.example"], [2]),
        (["--account", "alice@acme.example", "--from", "2"], []),
        (["--account", "nobody@acme.example"], []),
        (["--from", "999"], []),
    ],
)
def test_a_part_of_the_log_is_shown(log: Log, filters: list[str], indices: list[int]) -> None:
    """By index, by enterprise, by account, by kind."""
    assert [found["index"] for found in entries(log("show", "--json", *filters))] == indices


def test_indices_below_zero_count_from_the_end(log: Log) -> None:
    """The last few are what one wants to see first; asking for more than there are is asking for all."""
    everything = entries(log("show", "--json"))
    assert entries(log("show", "--json", "--from=-2")) == everything[-2:]
    assert entries(log("show", "--json", "--from=-2", "--to=-2")) == everything[-2:-1]
    assert entries(log("show", "--json", "--from=-999")) == everything


def test_an_account_is_found_by_a_root_from_elsewhere(log: Log, tmp_path: Path) -> None:
    """Or by a device of the user's; where there is neither, it is said what to name."""
    root = tmp_path / "acme.der"
    shutil.move(tmp_path / "home" / "tenants" / "acme.example" / "root.der", root)
    shutil.rmtree(tmp_path / "home" / "tenants")
    alice = ("--json", "--account", "alice@acme.example")
    assert [found["index"] for found in entries(log("show", *alice))] == [1]
    shutil.rmtree(tmp_path / "home" / "clients")
    assert [found["index"] for found in entries(log("show", *alice, "--root", root))] == [1]
    ran = log("show", *alice)
    assert ran.code == ExitCode.USAGE
    assert "--root FILE" in ran.err
    root.write_text("no certificate")
    assert log("show", *alice, "--root", root).code == ExitCode.MALFORMED


# Proofs.


def test_a_proof_is_verified_without_any_relay(
    log: Log, relay: Path, blindrelay: Callable[..., Ran], tmp_path: Path
) -> None:
    """Proof, entry and policy are all that it takes; and they fit each other alone."""
    proof, entry, policy = tmp_path / "1.proof", tmp_path / "1.entry", tmp_path / "directory.policy"
    assert log("prove", 1, "--out", proof, "--entry", entry).code == ExitCode.OK
    shutil.copy(relay / "logs" / "directory.policy", policy)

    def verify(*arguments: object) -> Ran:
        return blindrelay("log", "verify", "--home", tmp_path / "nowhere", "--policy", policy, *arguments)

    ran = verify(proof, entry, "--json")
    assert ran.code == ExitCode.OK, ran.err
    assert json.loads(ran.out)["index"] == 1

    entry.write_bytes(entry.read_bytes().replace(b'"sequence":', b'"sequence":1'))
    ran = verify(proof, entry)
    assert ran.code == ExitCode.LOG_REJECTED
    assert "does not prove that this is the entry 1" in ran.err
    assert verify(proof).code == ExitCode.USAGE
    assert verify(entry, entry).code == ExitCode.MALFORMED


@pytest.mark.parametrize("lost", ["clients", "tenants"])
def test_an_entry_is_found_by_what_it_is_about(log: Log, tmp_path: Path, lost: str) -> None:
    """The root of an enterprise; a device, by its enterprise's CA or by its own key store."""
    shutil.rmtree(tmp_path / "home" / lost)
    for index, what in enumerate(["--tenant acme.example", "--device acme.example/alice/laptop"]):
        proof = tmp_path / f"{index}.proof"
        assert log("prove", *what.split(), "--out", proof).code == ExitCode.OK
        assert LogProof.parse(proof.read_bytes()).index == index


def test_a_proof_is_printed(log: Log) -> None:
    """To stdout, and nothing else there: it is a file."""
    ran = log("prove", 1)
    assert LogProof.parse(ran.out.encode()).index == 1
    assert "the entry 1 of directory" in ran.err


def test_a_device_knows_its_own_entry(log: Log, tmp_path: Path) -> None:
    """What its key store says that it has stated is what the log has; somebody else's proof is not its own."""
    for device in ("alice/laptop", "bob/phone"):
        name = device.replace("/", "-")
        assert log("prove", "--device", f"acme.example/{device}", "--out", tmp_path / name).code == ExitCode.OK
        assert log("verify", tmp_path / name, "--device", f"acme.example/{device}").code == ExitCode.OK
    ran = log("verify", tmp_path / "alice-laptop", "--device", "acme.example/bob/phone")
    assert ran.code == ExitCode.LOG_REJECTED


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ([], ExitCode.USAGE),
        (["1", "--tenant", "acme.example"], ExitCode.USAGE),
        (["999"], ExitCode.USAGE),
        (["--tenant", "globex.example"], ExitCode.USAGE),
        (["--device", "acme.example/alice/none"], ExitCode.USAGE),
        (["--device", "globex.example/alice/none"], ExitCode.NOT_ENROLLED),
    ],
)
def test_what_there_is_not_cannot_be_proved(log: Log, arguments: list[str], code: ExitCode) -> None:
    """A sentence says what was asked for, and what there is."""
    ran = log("prove", *arguments)
    assert ran.code == code
    assert ran.out == ""


# The whole log.


def test_the_whole_log_is_verified(log: Log) -> None:
    """Every entry, and that it continues what was seen before."""
    first, second = (entries(log("verify", "--json"))[0] for _ in range(2))
    assert first["continues"] is None
    assert second["continues"] == first["size"]
    assert first["kinds"]["device"] >= 2  # type: ignore[index]
    assert "all" in log("verify").out


def test_an_entry_that_was_changed_on_the_relays_disk_is_named(tmp_path: Path, blindrelay: Callable[..., Ran]) -> None:
    """`verify`, `show` and `monitor` end there, with the exit code of an alarm."""
    relay, home = tmp_path / "relay", tmp_path / "home"
    with up(relay):
        register = f"register acme.example --relay {relay}"
        tenant(blindrelay, home, "create acme.example", register, "enrol acme.example alice laptop")
        published(blindrelay, relay, 1)
        bundle = Bundle(0, 2)
        file = relay / "logs" / "directory" / bundle.path
        root, device = unpack(bundle, file.read_bytes())
        file.write_bytes(pack([root, device.replace(b'"sequence":', b'"sequence":1')]))

        for command in (["verify"], ["show"], ["monitor", "--once"], ["monitor"]):
            ran = blindrelay("log", *command, "--home", home, "--relay", relay)
            assert ran.code == ExitCode.LOG_REJECTED
            assert "the entry 1 is not the one that was signed" in ran.err


# Monitors.


def test_an_enterprise_finds_a_device_that_it_did_not_enrol(tmp_path: Path, blindrelay: Callable[..., Ran]) -> None:
    """Somebody has got at a copy of its CA: each look alarms, with index and certificate, until somebody has dealt with it."""
    relay, home, thief = tmp_path / "relay", tmp_path / "home", tmp_path / "thief"

    def monitor(*arguments: object) -> Ran:
        watched = ("--tenant", "acme.example", "--once")
        return blindrelay("log", "monitor", "--home", home, "--relay", relay, *watched, *arguments)

    with up(relay):
        register = f"register acme.example --relay {relay}"
        tenant(blindrelay, home, "create acme.example", register, "enrol acme.example alice laptop")
        published(blindrelay, relay, 1)
        assert monitor().code == ExitCode.OK
        shutil.copytree(home / "tenants", thief / "tenants", symlinks=True)
        tenant(blindrelay, thief, "enrol acme.example alice ghost")
        published(blindrelay, relay, 2)

        ran = monitor("--json")
        assert ran.code == ExitCode.LOG_REJECTED
        assert "1 of 3 entries are not as they should be" in ran.err
        (alarm,) = (found for found in map(json.loads, ran.out.splitlines()) if found["event"] == "alarm")
        ours, theirs = ({path.stem for path in each.glob("tenants/*/issued/*")} for each in (home, thief))
        (ghost,) = theirs - ours
        assert (alarm["index"], alarm["check"], alarm["certificate"]) == (2, "device", ghost)

        ran = monitor()
        assert ran.code == ExitCode.LOG_REJECTED
        assert "ALARM   entry 2: a device of acme.example is entered that it did not enrol" in ran.out
        assert ghost in ran.out

        assert monitor("--dismiss", 2).code == ExitCode.OK
        assert monitor().code == ExitCode.OK


def test_a_person_finds_a_device_that_their_enterprise_has_enrolled_for_somebody_else(
    tmp_path: Path, blindrelay: Callable[..., Ran]
) -> None:
    """Whoever reads along is a device in the log; one that is theirs after all is named with --mine."""
    relay, office, home = tmp_path / "relay", tmp_path / "office", tmp_path / "own"

    def monitor(*arguments: object) -> Ran:
        watched = ("--account", "alice@acme.example", "--once")
        return blindrelay("log", "monitor", "--home", home, "--relay", relay, *watched, *arguments)

    with up(relay):
        register = f"register acme.example --relay {relay}"
        tenant(blindrelay, office, "create acme.example", register, "enrol acme.example alice phone")
        shutil.copytree(office / "clients", home / "clients", symlinks=True)
        published(blindrelay, relay, 1)
        assert monitor().code == ExitCode.OK

        tenant(blindrelay, office, "enrol acme.example alice reader")
        published(blindrelay, relay, 2)
        ran = monitor()
        assert ran.code == ExitCode.LOG_REJECTED
        assert "none of this account's own" in ran.out

        fingerprint = ran.out.rpartition("its certificate is ")[2].strip()
        assert monitor("--mine", fingerprint.upper()).code == ExitCode.OK


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--tenant", "acme.example", "--account", "a@acme.example"], ExitCode.USAGE, "two monitors"),
        (["--tenant", "globex.example"], ExitCode.NOT_ENROLLED, "--home"),
        (["--account", "jim@globex.example"], ExitCode.USAGE, "--root"),
        (["--tenant", "acme.example", "--log", "lawful-access"], ExitCode.USAGE, "lawful-access"),
        (["--dismiss", "3"], ExitCode.USAGE, "nothing is open"),
    ],
)
def test_what_a_monitor_needs_is_said(log: Log, arguments: list[str], code: ExitCode, words: str) -> None:
    """Before anything is read."""
    ran = log("monitor", *arguments)
    assert ran.code == code
    assert words in ran.err


def test_a_monitor_goes_on_while_the_relay_is_away(tmp_path: Path, home: Path) -> None:
    """It says so once, and again when the relay is back; on the way it tells what is new. Ctrl-C ends it."""
    data = tmp_path / "relay"
    with contextlib.ExitStack() as stack:
        with up(data):
            endpoint = Endpoint.read(data / "endpoint.json")
            (data / "blindrelay.toml").write_text(f"[logs]\nhttps_port = {endpoint.logs_port}\n")
            command = [sys.executable, "-m", "blindrelay", "log", "monitor", "--interval", "1", "--json"]
            where = ["--relay", f"https://127.0.0.1:{endpoint.logs_port}", "--ca", str(data / "relay.crt")]
            policy = ["--policy", str(data / "logs" / "directory.policy"), "--witnesses", "0"]
            monitor = stack.enter_context(
                subprocess.Popen([*command, *where, *policy], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            )
            stack.callback(monitor.kill)
            assert monitor.stdout is not None
            assert monitor.stderr is not None
            assert json.loads(monitor.stdout.readline())["event"] == "looked"
        while "trying on" not in (line := monitor.stderr.readline()):
            assert line
        with up(data):
            events: list[str] = []
            while "again" not in events:
                events.append(json.loads(monitor.stdout.readline())["event"])
            monitor.send_signal(signal.SIGINT)
            assert monitor.wait(30) == ExitCode.INTERRUPTED
            assert monitor.stderr.read().count("trying on") == 0


# Whose word it is.


def test_what_only_the_relay_says_is_warned_of(
    log: Log, relay: Path, blindrelay: Callable[..., Ran], tmp_path: Path
) -> None:
    """From another machine, without a policy; with one there is nothing to be warned of."""
    endpoint = Endpoint.read(relay / "endpoint.json")
    where = (
        "--relay",
        f"https://127.0.0.1:{endpoint.logs_port}",
        "--ca",
        relay / "relay.crt",
        "--home",
        tmp_path / "elsewhere",
    )
    warning = "only the relay itself says by what its log is to be verified"

    assert warning in blindrelay("log", "verify", *where).err
    assert warning not in blindrelay("log", "verify", *where, "--policy", relay / "logs" / "directory.policy").err
    assert warning not in log("verify").err
    assert blindrelay("log", "verify", "--relay", f"https://127.0.0.1:{endpoint.logs_port}").code == ExitCode.USAGE
    assert blindrelay("log", "verify", "--ca", relay / "relay.crt").code == ExitCode.USAGE


# Keys.


def test_the_key_of_a_log_is_replaced(tmp_path: Path, home: Path, blindrelay: Callable[..., Ran]) -> None:
    """First both sign, then the new one alone; whoever knows either goes on in between, and the history stays one."""
    relay = tmp_path / "relay"

    def rotate(*arguments: str) -> Ran:
        return blindrelay("log", "rotate-key", "directory", "--data-dir", relay, *arguments)

    def verify(policy: Path) -> int:
        return blindrelay("log", "verify", "--relay", relay, "--policy", policy).code

    relay.mkdir()
    assert rotate().code == ExitCode.USAGE  # there is nothing to replace
    with up(relay):
        old = shutil.copy(relay / "logs" / "directory.policy", tmp_path / "old.policy")
        assert verify(old) == ExitCode.OK
    assert rotate("--finish").code == ExitCode.USAGE  # it has not begun
    begun = json.loads(rotate("--json").out)
    assert begun["old_key"] == str(Trust.parse(old.read_text()).log)
    assert rotate().code == ExitCode.USAGE  # one at a time
    ran = rotate("--finish")
    assert ran.code == ExitCode.USAGE
    assert "restart the relay first" in ran.err

    with up(relay):
        new = shutil.copy(relay / "logs" / "directory.policy", tmp_path / "new.policy")
        assert str(Trust.parse(new.read_text()).log) == begun["key"]
        assert verify(old) == verify(new) == ExitCode.OK
    assert rotate("--finish").code == ExitCode.OK
    with up(relay):
        tenant(blindrelay, home, "create acme.example", f"register acme.example --relay {relay}")
        published(blindrelay, relay, 0)
        assert verify(new) == ExitCode.OK
        assert verify(old) == ExitCode.LOG_REJECTED
