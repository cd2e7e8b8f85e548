"""What travels between clients and relay: addresses, topics, sizes, certificates, statements, rpc.

Data and pure functions. This room knows no other, does no I/O and reads no clock.
"""
