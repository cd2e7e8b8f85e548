"""Checks of a relay that is somebody's: what its disk, its logs and its backups can show. `blindrelay prove --against`."""
