"""`python -m localcloud.edgar`."""

import sys

from localcloud.edgar.cli import main

sys.exit(main())
