"""A trace in the form that `blindrelay replay` reads, made up from a seed."""

import random


def made_up(lines: int, people: int, seed: int = 1) -> str:
    """As real ones are: a few people write most, partners repeat, one in five is a mail to several."""
    chance = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(people)]
    written: list[str] = []
    now = 0
    while len(written) < lines:
        now += int(chance.expovariate(1 / 60))
        sender = chance.choices(range(people), weights)[0]
        friends = [(sender + 1 + chance.randrange(4)) % people for _ in range(chance.choice([1, 1, 1, 1, 4]))]
        written += [f"{sender} {friend} {now}" for friend in dict.fromkeys(friends)]
    return "\n".join(written[:lines]) + "\n"
