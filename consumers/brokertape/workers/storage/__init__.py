"""The storage worker: the tape as a database."""
