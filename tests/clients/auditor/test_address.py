"""Where logs are (`clients/auditor/address.py`): said by the caller, by the environment, or by the relay of this machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from blindrelay.clients.auditor.address import LogsAddress, read_policy
from blindrelay.clients.errors import NotEnrolled
from blindrelay.protocol.endpoint import Endpoint
from blindrelay.protocol.errors import Malformed
from blindrelay.protocol.transparency.keys import SigningKey
from blindrelay.protocol.transparency.policy import Trust

DIRECTORY = Trust(SigningKey.generate("relay.example/directory").verifier)
LAWFUL = Trust(SigningKey.generate("relay.example/lawful-access").verifier)


@pytest.fixture
def ca(tmp_path: Path) -> Path:
    """What the relay is known by; nobody is asked here."""
    (tmp_path / "relay.crt").write_bytes(b"a certificate")
    return tmp_path / "relay.crt"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://relay.example:9000", "https://relay.example:9000/logs/directory/"),
        ("https://relay.example", "https://relay.example:8885/logs/directory/"),
        ("mqtts://relay.example:8883", "https://relay.example:8885/logs/directory/"),
        ("mqtts://relay.example", "https://relay.example:8885/logs/directory/"),
        ("https://[::1]:9000/", "https://[::1]:9000/logs/directory/"),
    ],
)
def test_an_address_is_that_of_the_logs_or_of_their_relay(ca: Path, url: str, expected: str) -> None:
    """The logs of a relay are two ports further, where nobody has said otherwise."""
    assert LogsAddress.from_url(url, ca).url("directory") == expected


@pytest.mark.parametrize(
    "url", ["http://relay.example", "relay.example:8885", "https://", "https://a:0", "https://a/x", "mqtts://a:65535"]
)
def test_what_is_no_address_is_refused(ca: Path, url: str) -> None:
    """With what was expected."""
    with pytest.raises(Malformed, match="expected https://host:port"):
        LogsAddress.from_url(url, ca)


def test_the_relay_of_this_machine_says_where_its_logs_are_and_by_what_to_verify_them(ca: Path, tmp_path: Path) -> None:
    """Its endpoint file has the port, and names the policies of both logs."""
    folder = tmp_path / "home" / "relay"
    folder.mkdir(parents=True)
    for name, trust in (("directory", DIRECTORY), ("lawful-access", LAWFUL)):
        (folder / f"{name}.policy").write_text(str(trust))
    endpoint = Endpoint(
        host="127.0.0.1",
        port=1,
        ca_certificate=str(ca),
        logs_port=3,
        directory_policy="directory.policy",
        lawful_access_policy="lawful-access.policy",
    )
    endpoint.write(folder / "endpoint.json")

    found = LogsAddress.find({"BLINDRELAY_HOME": str(tmp_path / "home")})

    assert found.port == 3
    assert found.policies == {"directory": str(DIRECTORY), "lawful-access": str(LAWFUL)}
    endpoint.model_copy(update={"logs_port": None}).write(folder / "endpoint.json")
    with pytest.raises(NotEnrolled, match="where its relay's logs are"):
        LogsAddress.find({"BLINDRELAY_HOME": str(tmp_path / "home")})


def test_the_environment_says_it(ca: Path, tmp_path: Path) -> None:
    """The logs' own address counts more than the relay's; a policy is that of the log that its key is named after."""
    (policy := tmp_path / "policy").write_text(str(LAWFUL))
    variables = {
        "BLINDRELAY_URL": "mqtts://relay.example",
        "BLINDRELAY_CA": str(ca),
        "BLINDRELAY_LOG_POLICY": str(policy),
    }
    assert LogsAddress.find(variables).port == 8885
    assert LogsAddress.find(variables).policies == {"lawful-access": str(LAWFUL)}
    assert LogsAddress.find({**variables, "BLINDRELAY_LOGS": "https://relay.example:1"}).port == 1
    with pytest.raises(NotEnrolled, match="BLINDRELAY_CA"):
        LogsAddress.find({"BLINDRELAY_URL": "mqtts://relay.example"})
    with pytest.raises(NotEnrolled, match="BLINDRELAY_LOGS is not set"):
        LogsAddress.find({"BLINDRELAY_HOME": str(tmp_path)})


def test_a_policy_that_is_none_is_named(tmp_path: Path) -> None:
    """File and line."""
    (file := tmp_path / "policy").write_text("log something\n")
    with pytest.raises(Malformed, match=r"policy is no policy of a log: line 1"):
        read_policy(file)
    with pytest.raises(NotEnrolled, match="cannot be read"):
        read_policy(tmp_path / "none")


def test_an_auditor_needs_nothing_that_could_decrypt() -> None:
    """Public endpoints are all that it asks: it runs where the ratchet is not installed."""
    absent = "import sys; sys.modules.update(dict.fromkeys(('vodozemac', 'aiomqtt')))"
    program = (
        f"{absent}; import blindrelay.clients.auditor.log; assert 'blindrelay.clients.keystore' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
