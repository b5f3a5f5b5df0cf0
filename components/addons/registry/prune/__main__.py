"""The program of the CronJob's container."""

import sys

from . import main

sys.exit(main())
