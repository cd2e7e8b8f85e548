"""The MQTT 5 server: a strict gate, a sans-I/O session, an asyncio listener around them."""
