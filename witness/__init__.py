"""A witness: somebody who remembers of each public log how far it had come, and cosigns what continues that, and nothing else.

It knows no relay: an independent process, on somebody else's machine where it counts, that speaks
https://c2sp.org/tlog-witness to whatever log asks.

| module        | what                                                                       |
|---------------|----------------------------------------------------------------------------|
| `cosigning`   | the one decision: cosign, or refuse                                         |
| `folder`      | what a witness keeps: its keys, the logs it knows, the last checkpoint of each |
| `files`       | files that are whole and durable, or not there                              |
| `application` | HTTP                                                                        |
| `service`     | the process: `Witness`                                                      |
"""
