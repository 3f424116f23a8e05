"""``python -m viceversa``."""

import sys

from viceversa.cli import main

sys.exit(main())
