"""What each check promises, sentence by sentence: where that is in the code, and for which reasons it is found to be broken.

The page `docs/reference/checks.md` is made of this and of the catalogue of saboteurs: where no saboteur has to be found for a
reason, it says why.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Promise:
    """A sentence.

    Attributes:
        says: what is looked at, or held.
        code: where: modules and names below `blindrelay.proofs`, `module:name`.
        reasons: for which the check finds that it is broken. None: a check that has not done this was not carried out, or tests
            hold it.
    """

    says: str
    code: tuple[str, ...]
    reasons: tuple[str, ...] = ()


def _of(says: str, code: str, *reasons: str) -> Promise:
    return Promise(says, tuple(code.split()), reasons)


PROMISES: Final[dict[str, tuple[Promise, ...]]] = {
    "canary": (
        _of("every text that people write has a canary in it: bodies, subjects, attachments and their names, names of "
            "groups, display names, search terms, passphrases", "evidence.canaries:Kind evidence.workload:Workload"),
        _of("every private key, session key and token of theirs is one",
            "evidence.keys evidence.cast:Cast.plant_session_keys"),
        _of("a sweep for no canaries, or without one kind of them, is an error",
            "evidence.sweep:NothingPlanted checks.canary:CHECK"),
        _of("each form is looked for: UTF-8, UTF-16, hex, base64 and base32 at every alignment, URL, JSON escapes, "
            "lists of numbers, reversed, XOR with any byte; gzip, zlib, deflate, zstd, base64 and hex are taken off, "
            "one inside the other", "evidence.transforms:FORMS evidence.transforms:unwrapped evidence.transforms:neighbours"),
        _of("the process's memory, while letters pass", "evidence.memory:dump checks.canary:_memory", "memory"),
        _of("the database's pages and values, its WAL, journal and free pages, and every other file",
            "evidence.snapshot:copy_folder checks.canary:cells", "disk"),
        _of("temporary files, those without a name included, and crash dumps", "evidence.process:copy_nameless", "dump"),
        _of("the kernel may write no core", "evidence.process:core_limits checks.canary:_cores", "core"),
        _of("backups", "evidence.recording:Recording", "backup"),
        _of("the log at DEBUG, with exceptions raised where nobody expects them, and tracebacks", "evidence.faults:Faults",
            "log"),
        _of("metrics and traces", "evidence.relay:RelayUnderProof.metrics", "metrics"),
        _of("every byte on the wire, answers over HTTP among them", "evidence.tap:Tap evidence.tls:open_connection", "wire"),
        _of("disclosure packages, opened as the authority opens them", "evidence.packages", "package"),
        _of("notices to users", "evidence.manifest:Manifest", "notice"),
        _of("all of that once more after each key that the relay holds was tried on it", "evidence.keyring:Keyring",
            "decrypted"),
    ),
    "wire": (
        _of("a tap between everybody and the relay sees every connection, and opens it with the clients' key log",
            "evidence.tap:Tap evidence.tls:open_connection", "unknown-connection"),
        _of("packets are MQTT 5, and no byte of them means nothing", "checks.grammar:examine", "not-mqtt"),
        _of("no property, will, retained message, client id or topic carries more than the profile allows",
            "checks.grammar:examine", "property", "topic"),
        _of("requests and answers are of their method's form", "checks.grammar:examine", "request"),
        _of("an envelope has the size of a bucket", "checks.grammar:examine", "size"),
        _of("it goes to devices that the sender's view of the directory names, and that view is the enterprise's own",
            "checks.views:examine checks.envelopes:examine", "ghost", "substituted", "unseen", "archive-hidden"),
        _of("it is sealed, with the post-quantum layer, and holds a frame and zeros", "checks.envelopes:examine", "plaintext",
            "not-hybrid", "form"),
        _of("it opens with the recipient's key, and with no other key of the run", "checks.envelopes:examine",
            "does-not-open", "opens-for-others"),
        _of("it names the sender whose connection it came over", "checks.envelopes:examine", "sender"),
        _of("no encapsulated key, ratchet key, place in a chain, id or one-time prekey comes twice",
            "checks.envelopes:examine checks.views:examine", "repeats", "prekey-reused"),
        _of("recipient and id are bound: another one, and it does not open",
            "checks.envelopes:examine evidence.probes:ClientProbes", "unbound", "readdressed"),
        _of("a replay, an older version, a key of small order and a forged device are refused",
            "evidence.probes:ClientProbes", "replay", "downgrade", "small-order", "ghost-accepted"),
        _of("when a letter expires is inside, and clients hold to it", "evidence.probes:ClientProbes", "expired"),
        _of("nobody learns from a stranger's device whether it is there", "evidence.probes:ClientProbes", "probed"),
        _of("an anonymous connection has no ticket, token or name that ties it to another",
            "checks.wire:examine checks.grammar:examine", "linkable"),
    ),
    "isolation": (
        _of("the contracts between the rooms hold, and no module of the relay's imports one of a client's",
            "checks.isolation:_imports checks.isolation:_contracts", "import"),
        _of("the running relay has loaded no module that opens what devices seal", "checks.isolation:_modules", "module"),
        _of("no code of it calls an operation that opens or agrees on something", "checks.isolation:_operations",
            "opening-call"),
        _of("no private key of a client is in its memory", "checks.canary:_memory"),
        _of("it connects to its declared peers alone, and looks up no address",
            "evidence.sockets:outward checks.isolation:_outside", "egress"),
        _of("it starts no other process", "evidence.process:offspring checks.isolation:_outside", "subprocess"),
    ),
    "policy": (
        _of("the running relay decides by what is shipped", "checks.policy:examine", "other-policies"),
        _of("walked through every use of every instrument of every pack, it gives no content, no keys, nobody abroad, "
            "not everybody, and builds nothing", "evidence.lattice:walk", "content-granted", "bulk-granted",
            "capability-granted", "abroad"),
        _of("it gives no more than was asked for, and nothing without a policy that permits it and a reason",
            "evidence.lattice:walk evidence.lattice:nothing_permits", "widened", "default-allow", "no-reason"),
        _of("evaluated in part, its policies forbid content, keys, bulk and capabilities to everybody, whatever is "
            "missing", "evidence.lattice:walk", "not-forbidden"),
        _of("each policy of each pack is changed in ten ways: the loader refuses, or nothing but metadata is given all "
            "the same", "checks.policy:mutants", "mutant-loads", "mutant-gives"),
    ),
    "forms": (
        _of("types of packages, records, entries and notices have no free text, bytes, URLs or open mappings",
            "checks.closed:open_places", "open-type"),
        _of("whatever was handed out is its own canonical form, byte for byte", "checks.forms:examine", "not-canonical"),
        _of("a package has the files that packages have", "checks.forms:examine", "unknown-file"),
        _of("a time is as fine as it is kept", "checks.forms:examine", "granularity"),
        _of("every value in it is that of a row, which the inventory explains field by field",
            "checks.rows:Rows checks.explained:examine", "unexplained"),
    ),
    "inventory": (
        _of("every table and column is declared", "checks.inventory:columns", "column"),
        _of("every file is one that a data directory has, and there is none outside of it", "checks.inventory:directory",
            "file"),
        _of("every log line has declared keys and says a sentence that there is", "checks.inventory:log", "log-key"),
        _of("every metric, label and value of one is declared", "checks.scraped:metrics", "metric"),
        _of("every span, and attribute and value of one, is declared, and nothing else traces", "checks.scraped:spans",
            "span"),
        _of("every answer over HTTP has declared headers and fields", "checks.answers:hold", "http-field"),
    ),
    "retention": (
        _of("after it was acknowledged, has expired or was purged, no byte of an envelope or record is in any file, "
            "page, WAL or backup; what expired before anybody came waits no more", "checks.retention:examine", "kept",
            "kept-in-backup"),
        _of("after an enterprise has left, no byte of the mail that waited for it, of its records, prekeys, statements and "
            "certificates is, but what an order in force keeps of its targets; nobody of it is in any table",
            "checks.departure:examine", "left-behind"),
        _of("nothing is older than its window, but what an order keeps", "checks.retention:ages", "too-old"),
        _of("the purge job has run", "checks.retention:examine", "not-run"),
        _of("an order in force keeps its targets, all of them and nobody else", "checks.retention:in_force", "bystander",
            "not-kept"),
    ),
    "non-interference": (
        _of("hundreds of pairs are drawn: texts, lengths in a bucket, languages, reactions, subjects, names, links, "
            "answers, receipts, and who is in a group", "worlds.script:draw worlds.sizes:possible"),
        _of("both worlds have the same chance, keys and clock", "worlds.chance:same worlds.template:copy"),
        _of("packages are the same bytes", "worlds.pairs:Pairs worlds.seen:look", "package"),
        _of("databases are the same, without ciphertext", "worlds.seen:CIPHERTEXT worlds.seen:look", "database"),
        _of("cases, decisions and answers are", "worlds.seen:look", "decision"),
        _of("logs are", "worlds.seen:look", "log"),
        _of("entries of public logs are", "worlds.seen:look", "public-log"),
        _of("sizes and order on the wire are", "worlds.seen:look", "wire"),
        _of("pauses that anybody asks for are", "worlds.timers:Timers", "timing"),
    ),
    "reconciliation": (
        _of("each case has a request, as it was signed, and each request its case", "checks.reconciliation:examine",
            "unasked"),
        _of("what an authority was told is what was decided, and no row was changed afterwards",
            "checks.reconciliation:chain", "edited", "chain"),
        _of("each package has its approvals and its rows", "checks.reconciliation:released", "not-recorded", "unapproved"),
        _of("a package is within targets, window and classes of what was granted", "checks.reconciliation:examine",
            "not-granted", "too-wide", "bystander"),
        _of("a real-time order delivers nothing from before its start or after its end", "checks.reconciliation:examine",
            "outlived"),
        _of("whoever's records left is told when it is due, and nobody else", "checks.told:examine", "untold"),
        _of("a forged emergency, a call that comes twice, and another's case are refused", "evidence.probes:DeskProbes",
            "forged-emergency", "replayed-call", "anothers-case"),
    ),
    "leaves": (
        _of("both logs are whole, and every checkpoint that anybody saw is of the same history", "checks.leaves:examine",
            "log"),
        _of("the directory's log has every root and device, and nobody else's", "checks.leaves:examine", "directory"),
        _of("each step of a case is in one entry, and each entry of a step", "checks.leaves:examine", "no-leaf",
            "other-leaf"),
        _of("it is told of, as it happened, in its order, when it may be and not before", "checks.leaves:examine", "disorder",
            "told-wrong", "told-early", "untold"),
        _of("each package is that of one entry, which the world saw first, with a receipt", "checks.leaves:examine",
            "receipt", "shared-leaf", "unpublished"),
        _of("the transparency report says what the log says", "evidence.auditor:Auditor", "report"),
    ),
    "attacks": (
        _of("devices and keys that are not somebody's own are noticed before a letter is lost", "attacks.catalogue:every",
            "ghost-device", "key-substituted-for-one", "prekey-repeated", "prekey-substituted", "statement-replayed",
            "tenant-root-swapped"),
        _of("so are directories that are split or frozen", "attacks.catalogue:every", "split-view", "stale-directory"),
        _of("so are logs that are edited, shortened or rolled back", "attacks.catalogue:every", "log-entry-edited",
            "log-entry-removed", "log-rollback"),
        _of("so are packages without an entry of their own", "attacks.catalogue:every", "disclosure-unlogged",
            "two-packages-one-entry"),
    ),
    "traffic": (
        _of("the relay has not written down who sent a sealed letter", "checks.traffic:examine", "sender_named"),
        _of("statistical disclosure names few of their senders", "traffic.attribution:best traffic.disclosure:correspondents",
            "sender_linked"),
        _of("nothing beside a letter says whose it is, and no connection ties two together", "traffic.signs:tied",
            "sender_signed", "connection_ties"),
        _of("timing and sizes tell few bits", "traffic.information:mutual_information", "timing_leaks", "size_leaks"),
        _of("groups that are found in bursts are told as numbers, without a limit: they leak", "traffic.groups:find"),
        _of("sealed hides more than standard", "checks.traffic:measure_model", "posture_no_better"),
    ),
}  # fmt: skip

#: Reasons for which no saboteur has to be found, each with why not.
WITHOUT: Final[dict[tuple[str, str], str]] = {
    ("isolation", "import"): (
        "the source is read as it is installed, and a saboteur changes a run; a test has a module with such an import"
    ),
    ("policy", "mutant-loads"): (
        "mutants are made and loaded where the check is, and a saboteur is in the run; a test has another loader"
    ),
    ("policy", "mutant-gives"): (
        "mutants are made and decided where the check is, and a saboteur is in the run; a test has such a mutant"
    ),
    ("forms", "open-type"): "types are read as they are installed, and a saboteur changes a run; tests have such types",
    ("traffic", "posture_no_better"): (
        "it compares two numbers of a model with the clients' habits, and the numbers have reasons of their own"
    ),
}
