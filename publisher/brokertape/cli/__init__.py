"""The `brokertape` command: the only composition root. Imports anything, lazily; nothing imports it."""
