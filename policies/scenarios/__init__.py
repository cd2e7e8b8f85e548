"""Scenarios: who asks for what under which instrument, when, and what is expected to come of it, as one YAML file.

`model` and `expectations` are the format, `document` reads a file, `drafting` turns a scenario's demand into the document
that an authority signs, `schema` is the JSON Schema for editors. Nothing here runs anything: see `blindrelay.proofs.scenarios`.
"""
