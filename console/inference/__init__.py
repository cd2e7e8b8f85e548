"""What can be concluded from the records alone, though nobody reads a word; and how good those conclusions are.

| module    | part                                                                                        |
|-----------|---------------------------------------------------------------------------------------------|
| `records` | who wrote to whom, when: from a relay's disk, from a trace, from an invented company           |
| `graph`   | pairs, communities, importance                                                              |
| `people`  | how fast somebody is answered, and who is the boss                                          |
| `timing`  | in the posture `sealed`: pairs, guessed from who receives something soon after whom         |
| `scores`  | how good a guess is                                                                         |
| `report`  | all of it, for standard and sealed side by side                                             |

Pure functions of records. `blindrelay.proofs` measures what an observer learns more rigorously; this is to be looked at.
"""
