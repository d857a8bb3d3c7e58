"""The consumer-group runtime, and the workers built on it."""
