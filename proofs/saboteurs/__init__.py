"""Deliberate leaks, each of which a check must find: `blindrelay sabotage`.

A saboteur changes the product in the processes of one run, by replacing a function before anything is started. The product
imports nothing from here, and the import contracts hold it to that.
"""
