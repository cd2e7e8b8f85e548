"""An enterprise's traffic, modelled or recorded, through a relay, with real encryption, and a count of what came of it.

- `events`: who writes to whom and when; the one form that both sources have.
- `trace`: reads recorded traffic. `model`: invents an enterprise.
- `tally`: what was sent, what arrived, what is wrong.
- `driver`: enrols the people, plays the events at a chosen speed-up, waits, and returns the summary.
"""
