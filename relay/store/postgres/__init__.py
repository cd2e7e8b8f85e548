"""PostgreSQL as the store, for one node or several."""
