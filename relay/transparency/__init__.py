"""The relay's two public logs, `directory` and `lawful-access`: kept in the store with what they record, published as files.

| module      | what                                                                       |
|-------------|----------------------------------------------------------------------------|
| `entries`   | a log's table: rows are added and never changed                            |
| `edge`      | from leaf hashes to tiles                                                   |
| `growth`    | from entries to tiles and bundles                                          |
| `shelf`     | the files that the world is shown                                          |
| `keys`      | what a log signs with                                                      |
| `witnesses` | asking for cosignatures                                                    |
| `log`       | a log: publishes what has been committed, proves what has been published   |
| `directory` | what goes into the log `directory`, and what a look-up answers out of it   |
| `http`      | both logs over HTTPS (https://c2sp.org/tlog-tiles)                         |
| `assembly`  | everything put together                                                    |
"""
