"""Reading the tape: what services and strategy engines import."""
