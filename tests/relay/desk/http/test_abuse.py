"""Signed calls that are not what they should be: each is refused with its problem, recorded, and reaches nothing."""

import asyncio
import base64
import hmac
import json
from collections.abc import Callable
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from blindrelay.policies.exchange import MAX_AGE, MAX_AHEAD, MAX_CALL
from blindrelay.relay.desk.http.limits import DoorLimits
from blindrelay.relay.desk.problems import PREFIX, PROBLEM_JSON, ProblemKind
from blindrelay.relay.desk.register import Register
from support.authorities import Caller, at, authority, compact, enter, issue
from support.doors import Site, doors_in
from support.party import HandClock

Make = Callable[[Site], bytes]

K = ProblemKind


def parts(token: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    """Header, payload and signature."""
    header, payload, signature = (base64.urlsafe_b64decode(part + b"==") for part in token.split(b"."))
    return json.loads(header), payload, signature


def signing_input(token: bytes) -> bytes:
    return token.rpartition(b".")[0]


def with_header(site: Site, **changes: object) -> bytes:
    """Signed by the right key, with another header; None leaves a field out."""
    header, payload, _ = parts(site.caller.hand_in())
    changed = {key: value for key, value in {**header, **changes}.items() if value is not None}
    key = site.caller.identity._key
    return jwt.api_jws.encode(payload, key, "ES256", changed).encode()


def unsigned(site: Site) -> bytes:
    """`alg` none, in its usual form: the signature is empty."""
    header, payload, _ = parts(site.caller.hand_in())
    return compact(header | {"alg": "none"}, payload, b"")


def unsigned_with_a_signature(site: Site) -> bytes:
    """`alg` none, with the bytes of the real signature."""
    header, payload, signature = parts(site.caller.hand_in())
    return compact(header | {"alg": "none"}, payload, signature)


def hmac_with_the_public_key(site: Site) -> bytes:
    """`alg` HS256 under the officer's public key, which everybody has."""
    header, payload, _ = parts(site.caller.hand_in())
    public = site.caller.identity.certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    bare = signing_input(compact(header | {"alg": "HS256"}, payload, b"-"))
    return compact(header | {"alg": "HS256"}, payload, hmac.digest(public, bare, "sha256"))


def another_leaf(site: Site) -> bytes:
    """Signed by one officer, with another one's certificate."""
    other = authority(site.folder / str(uuid4()), site.clock, "other-court")
    header, payload, _ = parts(site.caller.hand_in())
    return jwt.api_jws.encode(payload, other._key, "ES256", header).encode()


def another_root(site: Site) -> bytes:
    """An officer's certificate of a root that is somebody else's, with the registered root beside it."""
    other = authority(site.folder / str(uuid4()), site.clock)
    x5c = [parts(Caller(other, site.caller.relay_id, site.clock).hand_in())[0]["x5c"][0]]
    x5c.append(parts(site.caller.hand_in())[0]["x5c"][1])
    return jwt.api_jws.encode(
        parts(site.caller.hand_in())[1], other._key, "ES256", {"typ": "blindrelay-call+jws", "x5c": x5c}
    ).encode()


def namesake(site: Site) -> bytes:
    """A whole chain of another root that bears the registered authority's name."""
    other = authority(site.folder / str(uuid4()), site.clock)
    return Caller(other, site.caller.relay_id, site.clock).hand_in()


def unregistered(site: Site) -> bytes:
    """A good chain of an authority that nobody has entered."""
    other = authority(site.folder / str(uuid4()), site.clock, "other-court")
    return Caller(other, site.caller.relay_id, site.clock).hand_in()


def struck(site: Site) -> bytes:
    """An authority that was registered and is not any more."""
    Register(site.journal).strike(site.caller.identity.card.id, entered_by="ada", at=at(site.clock))
    return site.caller.hand_in()


def expired(site: Site) -> bytes:
    """The officer's certificate is over."""
    site.clock.at += timedelta(days=398).total_seconds()
    return site.caller.hand_in()


def not_yet_valid(site: Site) -> bytes:
    """The officer's certificate has not begun."""
    site.clock.at -= timedelta(days=1).total_seconds()
    return site.caller.hand_in()


def altered(site: Site) -> bytes:
    """Another target, under the old signature."""
    header, payload, signature = parts(site.caller.hand_in())
    return compact(header, payload.replace(b"bob@globex", b"eve@globex"), signature)


def rsa_leaf(site: Site) -> bytes:
    """A signature of another kind of key."""
    header, payload, _ = parts(site.caller.hand_in())
    key = rsa.generate_private_key(65_537, 2_048)
    return jwt.api_jws.encode(payload, key, "RS256", {**header, "alg": "RS256"}).encode()


def two_signatures(site: Site) -> bytes:
    """The JSON form of a JWS, which may hold several signatures."""
    head, payload, signature = site.caller.hand_in().decode().split(".")
    twice = [{"protected": head, "signature": signature}] * 2
    return json.dumps({"payload": payload, "signatures": twice}).encode()


def flattened(site: Site) -> bytes:
    """The flattened JSON form."""
    head, payload, signature = site.caller.hand_in().decode().split(".")
    return json.dumps({"payload": payload, "protected": head, "signature": signature}).encode()


def duplicate_claim(site: Site) -> bytes:
    """Two audiences, signed: which one counts?"""
    claims = json.dumps(site.caller.claims("request", site.caller.request()))
    return site.caller.signed(b'{"aud": "another", ' + claims.encode()[1:])


def duplicate_target(site: Site) -> bytes:
    """Two values of one key, deep in the document."""
    claims = json.dumps(site.caller.claims("request", site.caller.request())).encode()
    return site.caller.signed(claims.replace(b'"value":', b'"value": "eve@globex.example", "value":'))


def duplicate_header(site: Site) -> bytes:
    """Two algorithms in the header."""
    header, payload, signature = parts(site.caller.hand_in())
    return compact(b'{"alg": "none", ' + json.dumps(header).encode()[1:], payload, signature)


def short_signature(site: Site) -> bytes:
    """A byte of the signature is missing."""
    header, payload, signature = parts(site.caller.hand_in())
    return compact(header, payload, signature[:-1])


def padded(site: Site) -> bytes:
    """base64 with padding, which RFC 7515 does not have."""
    head, payload, signature = site.caller.hand_in().split(b".")
    return head + b"=." + payload + b"." + signature


def loose_bits(site: Site) -> bytes:
    """Another spelling of the same signature: bits that base64url leaves over."""
    token = site.caller.hand_in()
    alphabet = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1 :][:1]


def deeply_nested(site: Site) -> bytes:
    """A document that would exhaust a parser's stack."""
    return site.caller.signed(b'{"a":' * 20_000 + b"1" + b"}" * 20_000)


def a_little_nested(site: Site) -> bytes:
    """Seventeen levels: more than any document has."""
    return site.caller.signed(b'{"a":' * 17 + b"1" + b"}" * 17)


def for_another_relay(site: Site) -> bytes:
    """The audience is right, the request inside names another receiver."""
    return site.caller.call("request", site.caller.request(receiver="another"))


def in_anothers_name(site: Site) -> bytes:
    """An officer signs for another officer."""
    return site.caller.call("request", site.caller.request(officer="Somebody Else"))


def in_another_authoritys_name(site: Site) -> bytes:
    """A registered authority signs for another one."""
    return site.caller.call("request", site.caller.request(sender="other-court"))


def unknown_claim(site: Site) -> bytes:
    """A claim that we do not know might mean something to whoever wrote it."""
    return site.caller.call("request", site.caller.request(), nbf=1)


def content_key(site: Site) -> dict[str, str]:
    key = ec.generate_private_key(ec.SECP256R1()).public_key().public_numbers()
    return {"kty": "EC", "crv": "P-256", "x": hex(key.x), "y": hex(key.y)}


REFUSED: dict[str, tuple[Make, ProblemKind]] = {
    "alg none": (unsigned, K.MALFORMED),
    "alg none with a signature": (unsigned_with_a_signature, K.UNAUTHENTICATED),
    "HS256 under the public key": (hmac_with_the_public_key, K.UNAUTHENTICATED),
    "RS256": (rsa_leaf, K.UNAUTHENTICATED),
    "another officer's certificate": (another_leaf, K.UNAUTHENTICATED),
    "a certificate of another root": (another_root, K.UNAUTHENTICATED),
    "a chain of a namesake": (namesake, K.UNAUTHENTICATED),
    "an authority that is not registered": (unregistered, K.UNAUTHENTICATED),
    "an authority that was struck": (struck, K.UNAUTHENTICATED),
    "an expired certificate": (expired, K.UNAUTHENTICATED),
    "a certificate of the future": (not_yet_valid, K.UNAUTHENTICATED),
    "an altered payload": (altered, K.UNAUTHENTICATED),
    "no x5c": (lambda site: with_header(site, x5c=None), K.UNAUTHENTICATED),
    "an empty x5c": (lambda site: with_header(site, x5c=[]), K.UNAUTHENTICATED),
    "x5c of three": (
        lambda site: with_header(site, x5c=[*parts(site.caller.hand_in())[0]["x5c"], "AAAA"]),
        K.UNAUTHENTICATED,
    ),
    "x5c that is no certificate": (lambda site: with_header(site, x5c=["AAAA", "AAAA"]), K.UNAUTHENTICATED),
    "x5c that is no base64": (lambda site: with_header(site, x5c=["ä", "*"]), K.UNAUTHENTICATED),
    "a key that comes along": (lambda site: with_header(site, jwk=content_key(site)), K.UNAUTHENTICATED),
    "a key to be fetched": (lambda site: with_header(site, jku="https://192.0.2.9/keys"), K.UNAUTHENTICATED),
    "a key id": (lambda site: with_header(site, kid="../../relay.key"), K.UNAUTHENTICATED),
    "critical extensions": (lambda site: with_header(site, crit=["exp"], exp=1), K.UNAUTHENTICATED),
    "another type": (lambda site: with_header(site, typ="JWT"), K.UNAUTHENTICATED),
    "no type": (lambda site: with_header(site, typ=""), K.UNAUTHENTICATED),
    "two signatures": (two_signatures, K.MALFORMED),
    "the flattened form": (flattened, K.MALFORMED),
    "four parts": (lambda site: site.caller.hand_in() + b".AAAA", K.MALFORMED),
    "nothing": (lambda _: b"", K.MALFORMED),
    "dots": (lambda _: b"..", K.MALFORMED),
    "no text": (lambda _: b"\xff\xfe\x00.\xff.\xff", K.MALFORMED),
    "a header that is a list": (lambda site: compact([1], b"{}", b"-"), K.MALFORMED),
    "truncated in the signature": (short_signature, K.UNAUTHENTICATED),
    "truncated in the payload": (lambda site: site.caller.hand_in().rpartition(b".")[0][:-1], K.MALFORMED),
    "padding": (padded, K.MALFORMED),
    "loose bits": (loose_bits, K.MALFORMED),
    "white space": (lambda site: site.caller.hand_in() + b"\n", K.MALFORMED),
    "a duplicate claim": (duplicate_claim, K.MALFORMED),
    "a duplicate target": (duplicate_target, K.MALFORMED),
    "a duplicate algorithm": (duplicate_header, K.MALFORMED),
    "a payload that is no JSON": (lambda site: site.caller.signed(b"give me everything"), K.MALFORMED),
    "a payload in UTF-16": (lambda site: site.caller.signed('{"aud": "x"}'.encode("utf-16")), K.MALFORMED),
    "a payload with NaN": (lambda site: site.caller.signed(b'{"iat": NaN}'), K.MALFORMED),
    "a number of many digits": (lambda site: site.caller.signed(b'{"iat": ' + b"9" * 9_999 + b"}"), K.MALFORMED),
    "a payload that is a list": (lambda site: site.caller.signed(b"[]"), K.MALFORMED),
    "a stack of objects": (deeply_nested, K.MALFORMED),
    "seventeen levels": (a_little_nested, K.MALFORMED),
    "too old": (lambda site: site.caller.call("request", site.caller.request(), iat=int(site.clock.at) - MAX_AGE - 1), K.STALE),
    "from the future": (
        lambda site: site.caller.call("request", site.caller.request(), iat=int(site.clock.at) + MAX_AHEAD + 1),
        K.STALE,
    ),
    "no date": (lambda site: site.caller.call("request", site.caller.request(), iat=None), K.INVALID),
    "a date that is true": (lambda site: site.caller.call("request", site.caller.request(), iat=True), K.INVALID),
    "a date that is text": (
        lambda site: site.caller.call("request", site.caller.request(), iat=str(int(site.clock.at))),
        K.INVALID,
    ),
    "no number": (lambda site: site.caller.call("request", site.caller.request(), jti=None), K.INVALID),
    "a number that is none": (lambda site: site.caller.call("request", site.caller.request(), jti="1"), K.INVALID),
    "another audience": (lambda site: site.caller.call("request", site.caller.request(), aud="another"), K.WRONG_AUDIENCE),
    "audiences": (
        lambda site: site.caller.call("request", site.caller.request(), aud=[site.caller.relay_id]),
        K.WRONG_AUDIENCE,
    ),
    "a request for another relay": (for_another_relay, K.WRONG_AUDIENCE),
    "another purpose": (lambda site: site.caller.call("status", {"case_id": str(uuid4())}), K.WRONG_PURPOSE),
    "no purpose": (lambda site: site.caller.call("request", site.caller.request(), purpose=None), K.WRONG_PURPOSE),
    "in another officer's name": (in_anothers_name, K.INVALID),
    "in another authority's name": (in_another_authoritys_name, K.INVALID),
    "an unknown claim": (unknown_claim, K.INVALID),
    "an empty request": (lambda site: site.caller.call("request", {}), K.INVALID),
    "no demands": (lambda site: site.caller.hand_in(demands=[]), K.INVALID),
    "a version of tomorrow": (lambda site: site.caller.hand_in(version="blindrelay-lawful-request-2"), K.INVALID),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_an_abusive_call_is_refused_and_recorded(site: Site, name: str) -> None:
    """It gets its problem, a row in the case file with its digest, and nobody behind the door hears of it."""
    make, kind = REFUSED[name]
    token = make(site)

    answer = await site.post("/v1/requests", token)

    assert answer.status_code == kind.status, answer.text
    assert answer.headers["content-type"] == PROBLEM_JSON
    assert answer.json()["type"] == PREFIX + kind.slug
    assert [digest for _, digest in site.desk.refused] == [sha256(token).hexdigest()]
    assert site.desk.refused[0][0].startswith(kind.slug)
    assert "globex" not in answer.text
    assert "Traceback" not in answer.text


async def test_all_that_is_not_authenticated_reads_the_same(site: Site) -> None:
    """Nobody learns from an answer whether an authority is registered, or what about a signature is wrong."""
    makers = [
        make
        for make, kind in REFUSED.values()
        if kind is K.UNAUTHENTICATED and make not in (expired, not_yet_valid, struck)
    ]
    answers = {(await site.post("/v1/requests", make(site))).content for make in makers}

    assert len(answers) == 1


async def test_a_stranger_costs_what_an_authority_costs(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same checks run, in the same order, for a registered authority's name and for one that is not."""
    done: list[str] = []
    module = "blindrelay.relay.desk.authentication"
    for name in ("public_key", "verify_officer", "compare_digest"):
        real = getattr(__import__(module, fromlist=[name]), name)
        monkeypatch.setattr(f"{module}.{name}", lambda *args, real=real, name=name: (done.append(name), real(*args))[1])
    await site.post("/v1/requests", namesake(site))
    known, done[:] = list(done), []
    await site.post("/v1/requests", unregistered(site))

    assert known == done == ["public_key", "verify_officer", "compare_digest"]


async def test_too_large_a_call_is_cut_off(site: Site) -> None:
    """What is over the limit is not read to its end; that it came is recorded."""
    answer = await site.post("/v1/requests", b"a" * (MAX_CALL + 1))

    assert answer.status_code == 413
    assert answer.json()["type"] == PREFIX + "too-large"
    assert [reason for reason, _ in site.desk.refused] == ["too-large"]


@pytest.mark.parametrize("media_type", ["application/json", "application/jose; charset=utf-8", "text/plain", ""])
async def test_another_media_type_is_refused(site: Site, media_type: str) -> None:
    """A call comes as application/jose, and as nothing else."""
    answer = await site.post("/v1/requests", site.caller.hand_in(), media_type)

    assert (answer.status_code, answer.json()["type"]) == (415, PREFIX + "unsupported-media-type")


async def test_a_call_is_made_once(tmp_path: Path, clock: HandClock) -> None:
    """The same signed bytes are refused the second time, and after a restart of the relay."""
    async with doors_in(tmp_path, clock) as first:
        caller = first.caller
        token = caller.call("status", {"case_id": str(uuid4())})
        assert (await first.post("/v1/status", token)).status_code == 404
        again = await first.post("/v1/status", token)
        assert (again.status_code, again.json()["type"]) == (409, PREFIX + "replayed")
    async with doors_in(tmp_path, clock, known=caller) as second:
        later = await second.post("/v1/status", token)

        assert (later.status_code, later.json()["type"]) == (409, PREFIX + "replayed")
        assert [reason for reason, _ in second.desk.refused] == ["replayed"]


async def test_a_number_is_the_same_number_in_capitals(site: Site) -> None:
    """A jti that is spelled in another way is no new one."""
    number, document = str(uuid4()), {"case_id": str(uuid4())}
    first = await site.post("/v1/status", site.caller.call("status", document, jti=number))
    second = await site.post("/v1/status", site.caller.call("status", document, jti=number.upper()))
    third = await site.post("/v1/status", site.caller.call("status", document, jti=f"{{{number}}}"))

    assert [first.status_code, second.status_code, third.status_code] == [404, 409, 409]


async def test_two_at_once_are_one(site: Site) -> None:
    """Of the same call, sent twice at the same moment, one is carried out."""
    token = site.caller.call("status", {"case_id": str(uuid4())})

    answers = await asyncio.gather(*(site.post("/v1/status", token) for _ in range(5)))

    assert sorted(answer.status_code for answer in answers) == [404, 409, 409, 409, 409]


async def test_an_officer_who_is_not_enrolled_sees_no_case(site: Site) -> None:
    """The root vouches for the officer, the register does not name her: her requests are weighed, no case is shown to her."""
    identity = site.caller.identity
    identity.certificate = issue(identity, "M. Roe", site.clock)

    answer = await site.post("/v1/status", site.caller.call("status", {"case_id": str(uuid4())}))

    assert (answer.status_code, answer.json()["type"]) == (401, PREFIX + "unauthenticated")


async def test_one_authority_cannot_crowd_out_the_others(tmp_path: Path, clock: HandClock) -> None:
    """Past its rate an authority is told to wait, and another one is not."""
    limits = DoorLimits(authority_rate=1, authority_burst=2)
    async with doors_in(tmp_path, clock, limits) as site:
        other = authority(tmp_path, clock, "other-court")
        enter(site.journal, other.card, clock)
        document = {"case_id": str(uuid4())}
        mine = [(await site.post("/v1/status", site.caller.call("status", document))).status_code for _ in range(3)]
        theirs = await site.post("/v1/status", Caller(other, site.caller.relay_id, clock).call("status", document))
        clock.at += 1
        later = await site.post("/v1/status", site.caller.call("status", document))

    assert mine == [404, 404, 429]
    assert (theirs.status_code, later.status_code) == (404, 404)


async def test_one_address_cannot_crowd_out_the_others(tmp_path: Path, clock: HandClock) -> None:
    """Past its rate an address gets 429 with Retry-After before anything of the call is looked at."""
    async with doors_in(tmp_path, clock, DoorLimits(address_rate=0.5, address_burst=2)) as site:
        answers = [await site.post("/v1/requests", b"nonsense") for _ in range(3)]
        clock.at += 2
        later = await site.post("/v1/requests", b"nonsense")

    assert [answer.status_code for answer in answers] == [400, 400, 429]
    assert answers[2].headers["retry-after"] == "2"
    assert later.status_code == 400
    assert len(site.desk.refused) == 3


async def test_a_flood_is_counted_where_it_is_not_written_out(tmp_path: Path, clock: HandClock) -> None:
    """Refused calls are rows of the case file up to a rate; the next row says how many there were besides."""
    async with doors_in(tmp_path, clock, DoorLimits(record_rate=1, record_burst=2)) as site:
        for _ in range(5):
            await site.post("/v1/requests", b"nonsense")
        clock.at += 1
        await site.post("/v1/requests", b"nonsense")

    assert [reason for reason, _ in site.desk.refused] == ["malformed", "malformed", "malformed (and 3 more)"]
