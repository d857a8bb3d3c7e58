"""The commands and their flags, by what they are for. What a command does is loaded when it runs: `--help` is quick."""
