"""``python -m customer_nlp`` is the shell command."""

import sys

from customer_nlp.cli import main

sys.exit(main())
