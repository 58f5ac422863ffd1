"""Entry point of ``python -m gotrace``. Never here: options."""

import sys

from gotrace.cli import main

sys.exit(main())
