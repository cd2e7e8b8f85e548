"""Public append-only logs: what travels, and how it is checked. Pure functions and values; nothing here waits or keeps.

| module       | what                                               | where it is written down              |
|--------------|----------------------------------------------------|---------------------------------------|
| `merkle`     | hashes, verification of proofs                     | RFC 6962, 2.1; RFC 9162, 2.1          |
| `ranges`     | of which subtrees a proof is made                  | RFC 6962, 2.1.1 and 2.1.2             |
| `tiles`      | tiles, their paths, hashes out of them             | https://c2sp.org/tlog-tiles           |
| `entries`    | entry bundles                                      | https://c2sp.org/tlog-tiles           |
| `encoding`   | base64 in one way only                             | RFC 4648, 4                           |
| `leaf`       | entries as models                                  | -                                     |
| `directory`  | the entries of the log `directory`                 | docs/reference/logs.md                |
| `keys`       | Ed25519 keys of logs and witnesses                 | https://c2sp.org/signed-note          |
| `note`       | text with signatures                               | https://c2sp.org/signed-note          |
| `checkpoint` | tree heads, signed by a log, cosigned by witnesses | https://c2sp.org/tlog-cosignature     |
| `policy`     | whose signatures are wanted                        | https://c2sp.org/tlog-policy          |
| `submission` | what a log asks of a witness                       | https://c2sp.org/tlog-witness         |
| `proof`      | an inclusion proof as a file                       | https://c2sp.org/tlog-proof           |
"""
