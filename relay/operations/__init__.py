"""For whoever runs the relay: is it well, and how much does it do? An endpoint of its own, on the loopback by default.

It shows counts over everybody and the state of the machine, all of it declared in `blindrelay.relay.inventory.metrics`, and
never a name, an address, or anything about a message.
"""
