"""Does an acknowledged message survive? The relay runs as a process of its own and is killed, frozen, cut off and starved,
while clients that are not the product's write down what they saw; an oracle that does not trust the relay compares.

| module       | part                                                                                       |
|--------------|--------------------------------------------------------------------------------------------|
| `journal`    | what a client saw, append-only                                                             |
| `oracle`     | the invariants I1 to I11, pure functions over journals, faults and the store               |
| `wire`       | a bare MQTT 5 connection over TLS on the codec: no retries, no manners, everything visible |
| `workload`   | devices that write numbered messages to each other and acknowledge late, early or never    |
| `proxy`      | the network between them: resets, cuts, half-open and slow connections                     |
| `delays`     | late bytes, and later ones where a segment was lost                                        |
| `nemesis`    | which fault when, drawn from a seed before the run                                         |
| `world`      | the relay's process and data folder                                                        |
| `evidence`   | what the relay's database holds afterwards                                                 |
| `run`        | one seed: all of the above together                                                        |
| `boundaries` | a scripted run, ended at every single sync call; failing syncs; a full disk                |
| `powercut`   | disk images of every moment at which the power could have failed                           |
| `saboteurs`  | deliberate faults in the relay, each of which the oracle has to report                     |
| `matrix`     | the fault matrix: several nodes, PostgreSQL and NATS, or one relay; `blindrelay chaos`     |
"""
