"""A faithful simulated gateway for demos, tests and benchmarks: a market model behind the real protocol."""
