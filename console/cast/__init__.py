"""The demonstration's people: two enterprises whose devices chat and mail through a real relay, in a process of their own.

    python -m blindrelay.console.cast ENDPOINT

What they write exists here, and in the console's channel `clients`. Each line that it reads is a `Direction`, each line that it
writes an `Event` (`lines.py`). It leaves when its input ends.
"""
