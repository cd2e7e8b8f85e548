"""The schema's history: what makes a database of any older release one of this release, on both engines.

Revisions are Alembic's, in `versions/`. An empty SQLite database does not go through them: it is made in one piece out of
`tables`, and a test holds that the two are the same.
"""
