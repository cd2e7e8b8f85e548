"""What the relay keeps: the tables, the SQLite store under them, and the group commit in front of them."""
