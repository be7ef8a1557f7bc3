"""Forwards `python -m scripts.update`, the name until 0.3.0, to `scripts.template.update`, and is removed in 0.6.0."""

import sys

from scripts.template.update import main

if __name__ == "__main__":
    print("scripts.update is removed in 0.6.0: call scripts.template.update instead.", file=sys.stderr)
    main()
