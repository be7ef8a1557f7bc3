"""How often Python looks for garbage."""

import gc


def collect_less() -> None:
    """Has the garbage collector leave out what exists by now, and come less often.

    What a process has loaded at its start stays, and each collection looks through all that requests in progress hold,
    hardly any of which is garbage.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000)
