"""Version 1 of our schema files. Regenerate with `make proto`; field facts are in docs/gateway.md."""
