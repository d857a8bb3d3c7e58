"""A native asyncio client of the OpenD gateway: framing, encryption, session, calls. Knows no Redis."""
