"""Posture `sealed`: the relay learns that somebody writes to bob, and not who.

Needs a relay: start one with `blindrelay up` in another terminal.
"""

import asyncio

from blindrelay.clients import Enterprise, NoDeliveryToken


async def main() -> None:
    """Get bob's delivery token from his first message; then write without saying who writes."""
    async with Enterprise.create("acme.example") as acme, Enterprise.create("globex.example") as globex:
        alice, bob = await acme.enrol("alice", "laptop"), await globex.enrol("bob", "phone")
        async with alice, bob:
            try:
                await alice.send("bob@globex.example", "Guess who?", posture="sealed")
            except NoDeliveryToken as error:
                print(f"not yet: {error}")

            await alice.send("bob@globex.example", "Hello, this is Alice.")
            await (await bob.receive()).reply("Hello Alice.")  # his token travels inside
            await alice.receive()

            # Nobody waits for the receipt: it leaves a minute to half an hour later, lest it tell who wrote.
            await alice.send("bob@globex.example", "Between you and me.", posture="sealed")
            message = await bob.receive()
            print(f"bob knows that {message.sender} wrote: {message.text}")

            for record in (await bob.my_data()).records.get("TrafficRecord", []):
                print("the relay knows:", record)


if __name__ == "__main__":
    asyncio.run(main())
