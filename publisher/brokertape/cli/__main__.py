"""`python -m brokertape.cli`: the `brokertape` command."""

import sys

from brokertape.cli import main

if __name__ == "__main__":
    sys.exit(main())
