"""Scenarios, run: against a whole relay in this process, with real enterprises, devices and encryption, on a virtual clock.

`run` plays a scenario and returns a `Result`; what is expected is compared in `checks`, what must hold in every scenario in
`invariants`. The same is behind `blindrelay scenario run` and behind the pytest plugin.
"""
