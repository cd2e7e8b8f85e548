"""Reading a relay's public logs, and believing nothing of them that is not proved. It asks public endpoints alone, and needs no
key of anybody's.

| module    | what                                                                             |
|-----------|----------------------------------------------------------------------------------|
| `address` | where the logs are, and by what they are to be verified                          |
| `source`  | the files of a log over HTTPS                                                    |
| `tree`    | tiles, entries and proofs, each verified against one checkpoint                  |
| `memory`  | the last checkpoint that was verified, and the evidence if the log contradicts it |
| `log`     | a log: the newest checkpoint, once it has been seen to continue the last one     |
| `watch`   | what in a log is not as it should be, for an enterprise or for an account        |
| `monitor` | following a log, and what has been found in it                                   |
"""
