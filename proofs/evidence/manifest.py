"""What a run was: who took part, what they wrote, what was asked and answered, where the artefacts are. One JSON file."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from blindrelay.proofs.evidence.canaries import Canary

FILE = "manifest.json"


class Part(BaseModel):
    """A piece of the manifest. It may hold secrets of the run's people, who exist for the run alone."""

    model_config = ConfigDict(extra="forbid", ser_json_bytes="base64", val_json_bytes="base64")


class TenantFacts(Part):
    """An enterprise: its root (DER), where it is at home, and the devices that it has enrolled by its own books."""

    root: bytes
    jurisdiction: str
    enrolled: list[str]


class DeviceFacts(Part):
    """A device: its keys, and whom it knows.

    Attributes:
        sealing_seeds: of its X-Wing keys, the current one first.
        identity_key: public, of its ratchet.
        certificate_sha256: of the certificate that it connects with.
        view: the devices that it knows and has verified, each with its archive mark as it is shown to the person.
    """

    sealing_seeds: Annotated[list[bytes], Field(repr=False)]
    identity_key: bytes
    certificate_sha256: bytes
    token_sha256: bytes
    is_archive: bool = False
    view: dict[str, bool] = {}


class Letter(Part):
    """Something that somebody wrote. `about` names it; `sealed`: in the posture `sealed`."""

    about: str
    sender: str
    recipients: list[str]
    sealed: bool
    arrived: bool = False


class Case(Part):
    """A request of an authority's, and everything that came of it.

    Attributes:
        request: the document, as it was signed.
        answers: the desk's answers in their order; of a refusal its words.
        packages: demand -> the sealed package, below the run's folder.
        streams: demand -> records of a real-time order, as JSON; `after_end`: those that came when its time was over.
        approvals: demand -> who approved.
        signed: SHA-256 of the request as it was signed.
        receipts: demand -> that the public log has its package, below the run's folder.
        shown: demand -> the log's checkpoint when the package was handed over; empty if there was none.
    """

    authority: str
    instrument: str
    request: dict[str, Any]
    case_id: str | None = None
    answers: list[dict[str, Any]] = []
    refusal: str | None = None
    packages: dict[str, str] = {}
    streams: dict[str, list[dict[str, Any]]] = {}
    after_end: dict[str, list[dict[str, Any]]] = {}
    approvals: dict[str, list[str]] = {}
    signed: str = ""
    receipts: dict[str, str] = {}
    shown: dict[str, str] = {}


class Probe(Part):
    """Something was tried that must not work, and what came of it. `about`: whom it was tried on, `client` or `desk`."""

    name: str
    about: Literal["client", "desk"]
    tried: str
    refused: bool
    answer: str


class Audited(Part):
    """What the auditor said at a moment about one thing that it looked at (`blindrelay.clients.auditor.audit`)."""

    moment: str
    check: str
    seen: str
    wrong: list[str] = []


class Trouble(Part):
    """A part of the run did not go as it goes with an honest system. It is no finding: what the checks say counts."""

    stage: str
    error: str


class Moment(Part):
    """When artefacts were taken: their files are in the folders of this name.

    `at` is the run's clock, `tick` the tap's: seconds. `outward`: peers of the process's sockets that have not come to it;
    `offspring`: signs of processes that it has started. `meanwhile`: letters that arrived while its memory was read.
    `core_limits`: how large a core of the process could be, soft and hard; `nameless`: its open files without a name. Both are
    None where the system does not tell.
    """

    name: str
    at: float
    tick: float
    memory_bytes: int | None = None
    meanwhile: int = 0
    core_limits: tuple[str, str] | None = None
    nameless: int | None = None
    outward: list[str] = []
    offspring: list[str] = []


class Manifest(Part):
    """See the module. `faults`: how often something was made to fail in the relay, by place; `peers`: `address:port` of those
    that its configuration tells the relay to call; `left`: enterprises that have left, between the moments `parting`, `left`.
    """

    format: Literal["blindrelay-evidence-1"] = "blindrelay-evidence-1"
    quick: bool
    saboteur: str = ""
    began: float
    seconds: float = 0.0
    canaries: list[Canary] = []
    tenants: dict[str, TenantFacts] = {}
    devices: dict[str, DeviceFacts] = {}
    letters: list[Letter] = []
    cases: list[Case] = []
    package_seeds: Annotated[dict[str, bytes], Field(repr=False)] = {}
    notices: dict[str, list[str]] = {}
    moments: list[Moment] = []
    probes: list[Probe] = []
    audits: list[Audited] = []
    faults: dict[str, int] = {}
    troubles: list[Trouble] = []
    modules: dict[str, str | None] = {}
    policies: dict[str, Any] = {}
    settings: dict[str, Any] = {}
    peers: list[str] = []
    exit_status: int | None = None
    left: list[str] = []
