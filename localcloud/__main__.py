"""`python -m localcloud up|down|status|run`: the whole local cloud as one thing."""

import sys

from localcloud.supervisor.cli import main

if __name__ == "__main__":
    sys.exit(main())
