"""Non-interference: two worlds that differ in nothing but what people wrote look the same to whoever has the relay.

| module     | part                                                                                          |
|------------|-----------------------------------------------------------------------------------------------|
| `chance`   | the same chance in both worlds: seeds, and signatures that are the same each time              |
| `template` | people, devices and an authority, made once: every world begins as a copy of it                |
| `script`   | what happens, drawn from a seed; and what people write, of which there are two versions        |
| `play`     | one world: a relay, its clients and its desk in this process, on a clock that is moved by hand |
| `economy`  | what worlds do without, so that there can be hundreds of them                                 |
| `seen`     | everything about a world that is not ciphertext                                                |
| `pairs`    | two worlds, compared; and of a difference, what it came from                                   |
"""
