"""What a malicious relay can try, carried out: one small module for each attack, against real clients over real TLS.

| module      | what                                                                                    |
|-------------|-----------------------------------------------------------------------------------------|
| `model`     | what an attack is, and what comes of it                                                 |
| `stage`     | a relay in this process, witnesses where they are needed, and two enterprises           |
| `insider`   | the relay's operator: has its handlers, its database, its log and the log's key         |
| `fork`      | a second history of the log, under the same key                                         |
| `thief`     | somebody who has a device's keys, and reads whatever is sealed to it                    |
| `catalogue` | the attacks                                                                             |
| `play`      | carries one out, and says who has noticed it, by which check, and what the attacker got |

Whatever an attack changes belongs to the relay, as its operator could change it. The clients, the enterprises and the honest
witnesses are those that ship, with the habits that they have by default, but for receipts: without these, what leaves a client
is what somebody has written.
"""
