"""What can be concluded from the records alone: who belongs together, who decides, who works when, who is answered at once.

| module        | conclusion                                                            |
|---------------|-----------------------------------------------------------------------|
| `graph`       | who talks to whom                                                     |
| `communities` | departments: who talks mostly to one another                          |
| `hierarchy`   | who is the boss                                                       |
| `hours`       | who works when                                                        |
| `answers`     | who is answered how soon                                              |
| `institution` | an invented one whose departments, bosses and hours are known         |

Each takes records (`blindrelay.proofs.traffic.records.Seen`), in the order of time, and knows nothing else. Where senders are
written down they are used; where not, the conclusion rests on who receives when. Each can be held against the truth: an
accuracy between what a guess would have and 1.
"""
