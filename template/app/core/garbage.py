"""The settings of Python's garbage collector."""

import gc


def collect_less() -> None:
    """Freezes the objects that exist now, and makes collections rarer.

    What a process loads at its start stays for good, and each collection walks through everything that requests in
    progress hold, hardly any of which is garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
