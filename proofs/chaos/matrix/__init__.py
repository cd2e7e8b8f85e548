"""The fault matrix: a whole deployment, load, one kind of fault at random points, and the oracle. It is `blindrelay chaos`.

| module      | part                                                                                                     |
|-------------|----------------------------------------------------------------------------------------------------------|
| `faults`    | the faults by name: what each does, to what, for how long                                                |
| `strikes`   | how each is done                                                                                         |
| `site`      | the deployment: nodes, PostgreSQL and NATS as processes, and a proxy on every way between them           |
| `database`  | PostgreSQL: started, killed, filled up, examined                                                         |
| `commits`   | cutting a connection inside COMMIT                                                                       |
| `crowd`     | thousands of clients who come back at once                                                               |
| `plan`      | what a run is, drawn from its seed, and what came of it                                                  |
| `stage`     | a run as a fault sees it                                                                                 |
| `run`       | one run                                                                                                  |
| `service`   | when everybody was served again; whether memory was bounded                                              |
| `timeline`  | what happened when, as JSON lines                                                                        |
| `ratchet`   | the fault `client-killed`; `person` is the process that is killed, `notes` what it leaves                |
| `embedded`  | faults of the disk under SQLite, with `boundaries`                                                       |
| `matrix`    | many runs                                                                                                |
| `watch`     | the same workload and oracle against a deployment that somebody else breaks                              |
"""
