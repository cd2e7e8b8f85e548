"""How fast it is: one command, a load generator in a process of its own, a table and a JSON file with the machine in it.

python -m benchmarks --help
"""
