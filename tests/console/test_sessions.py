"""Sign-in: links that work once, sessions that end."""

import pytest

from blindrelay.console.rights import INVITES, RIGHTS, Right, Role
from blindrelay.console.sessions import LINK_LIFETIME, MAX_SESSIONS, SESSION_LIFETIME, NoSuchLink, Sessions
from support.party import HandClock


@pytest.fixture
def clock() -> HandClock:
    """It stands still."""
    return HandClock()


@pytest.fixture
def sessions(clock: HandClock) -> Sessions:
    """For every role."""
    return Sessions(clock, tuple(Role))


def test_link_becomes_a_session_once(sessions: Sessions) -> None:
    """Whoever comes second with the same link is nobody."""
    token = sessions.link(Role.AUDITOR)
    secret, session = sessions.sign_in(token)
    assert session.role is Role.AUDITOR
    assert sessions.find(secret) == session
    with pytest.raises(NoSuchLink):
        sessions.sign_in(token)


@pytest.mark.parametrize("token", ["", "guess", "ü", "\udcff"])
def test_what_is_no_link_leads_nowhere(sessions: Sessions, token: str) -> None:
    """Whatever it is made of."""
    sessions.link(Role.OPERATOR)
    assert sessions.find(token) is None
    with pytest.raises(NoSuchLink):
        sessions.sign_in(token)


def test_link_and_session_are_not_the_same_secret(sessions: Sessions) -> None:
    """Who has seen the link over a shoulder has no session by it."""
    token = sessions.link(Role.OPERATOR)
    secret, _ = sessions.sign_in(token)
    assert sessions.find(token) is None
    assert secret != token


def test_old_link_and_old_session_end(sessions: Sessions, clock: HandClock) -> None:
    """Both, and not a moment later."""
    late = sessions.link(Role.OPERATOR)
    secret, _ = sessions.sign_in(sessions.link(Role.OPERATOR))
    clock.at += LINK_LIFETIME
    with pytest.raises(NoSuchLink):
        sessions.sign_in(late)
    clock.at += SESSION_LIFETIME - LINK_LIFETIME
    assert sessions.find(secret) is None


def test_signed_out_is_out(sessions: Sessions) -> None:
    """At once; and signing out twice is no mistake."""
    secret, _ = sessions.sign_in(sessions.link(Role.OPERATOR))
    sessions.sign_out(secret)
    sessions.sign_out(secret)
    assert sessions.find(secret) is None


def test_sessions_do_not_pile_up(sessions: Sessions) -> None:
    """The oldest ends when there are too many."""
    secrets = [sessions.sign_in(sessions.link(Role.AUDITOR))[0] for _ in range(MAX_SESSIONS + 1)]
    assert sessions.find(secrets[0]) is None
    assert all(sessions.find(secret) for secret in secrets[1:])


def test_no_link_for_a_role_that_is_not_here() -> None:
    """Nobody becomes the demonstrator of a relay that has people of its own."""
    with pytest.raises(ValueError, match="no demonstrator"):
        Sessions(HandClock(), (Role.OPERATOR,)).link(Role.DEMONSTRATOR)


def test_what_people_write_is_the_demonstrators_to_see() -> None:
    """And nobody invites somebody who may more than they do."""
    assert [role for role in Role if Right.SEE_CLIENTS in RIGHTS[role]] == [Role.DEMONSTRATOR]
    for role, others in INVITES.items():
        assert all(RIGHTS[other] <= RIGHTS[role] for other in others)
    assert INVITES[Role.AUDITOR] == ()
