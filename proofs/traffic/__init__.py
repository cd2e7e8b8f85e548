"""What an observer of the relay learns from who receives what, when and how much; measured.

| module        | part                                                                                            |
|---------------|-------------------------------------------------------------------------------------------------|
| `records`     | what the observer has of an envelope, and, apart from it, the truth                             |
| `signs`       | what gives a sender away without statistics: names, connections, copies, questions              |
| `disclosure`  | who writes to whom: statistical disclosure                                                      |
| `attribution` | who wrote which letter: the same, envelope by envelope                                          |
| `groups`      | groups, and their senders, from bursts                                                          |
| `information` | bits                                                                                            |
| `population`  | an invented institution with the figures of a real one                                          |
| `model`       | what a relay sees of a scenario, without the encryption                                         |
| `world`       | a morning through a real relay with real clients; `hurry`: on a loop that does not wait; `notes` |
| `limits`      | from where on a number is a finding                                                             |
| `inference`   | what can be concluded: departments, bosses, hours                                               |

`blindrelay.proofs.checks.traffic` puts them together; `python -m blindrelay.proofs.traffic TRACE` measures a trace of yours.
"""
