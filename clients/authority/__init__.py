"""What an authority runs: its identity, its requests, the packages that it gets. It knows the relay's protocol and no more."""
