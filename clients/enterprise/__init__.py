"""The enterprise's side: its certificate authority, and enrolling and revoking its people's devices."""

from blindrelay.clients.enterprise.ca import Authority
from blindrelay.clients.enterprise.enterprise import Enterprise

__all__ = ["Authority", "Enterprise"]
