"""What can be concluded from the records alone, though nobody reads a word; and how good that is: to be looked at.

| module       | part                                                                             |
|--------------|----------------------------------------------------------------------------------|
| `population` | whose records: a relay's, a trace's, an invented company's; and what is known besides |
| `report`     | all conclusions, for standard and sealed side by side, small enough for a page       |

The conclusions themselves, and how they are held against the truth, are those that `blindrelay.proofs.traffic` measures.
"""
