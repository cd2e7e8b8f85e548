"""Blindrelay: a messaging relay that can authenticate its users and cannot read them.

The rooms are folders at the top of the repository, bound here into one import package: `blindrelay.protocol`,
`blindrelay.relay`, `blindrelay.clients` and so on. This module stays empty of them on purpose: importing the relay must
not import a client.
"""

__version__ = "0.1.0"
