"""Several relay nodes as one relay: what they tell each other, and how they take turns. State is in PostgreSQL alone."""
