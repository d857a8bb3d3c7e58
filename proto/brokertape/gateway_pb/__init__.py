"""The gateway's messages: our own .proto files, wire-compatible with its numbers, and the code generated from them."""
