"""Scenarios for the console: played in a process of their own, frame by frame, and looked at as slowly as one likes.

    python -m blindrelay.console.playing FILE [--variant NAME]

writes a line of JSON for each `Frame`, and at last one that says how it ended.
"""
