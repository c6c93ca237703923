"""The process that compares two formulas with math-verify: reads a JSON request per line, answers true, false or null.

Run as a script in isolated mode by `symbolic`. It answers first whether 1 = 1; if math-verify can't even do that, it
ends with a traceback. A request is the two LaTeX texts and the seconds of processor time that they may take; SIGPROF
ends a worker that takes more, also in the midst of a C loop. It bounds its own memory first, and ends by an alarm where
nobody is left to kill it. Only math-verify's LaTeX reader is used; its reader for plain expressions would execute code.
null: one of the two wasn't understood.
"""

import json
import resource
import signal
import sys
import time

MEMORY_BYTES = 2 * 1024**3
# Of wall time: longer than `symbolic` waits (START_SECONDS, STALL_SECONDS), for a worker whose master is gone.
FIRST_REQUEST_SECONDS = 600
REQUEST_SECONDS = 240


def equal(gold: str, answer: str) -> bool | None:
    """Whether math-verify calls the two LaTeX texts equal; None if it can't read one of them."""
    from math_verify import LatexExtractionConfig, parse, verify

    config = [LatexExtractionConfig()]
    read = [
        parse(f"${text}$", extraction_config=config, fallback_mode="no_fallback", parsing_timeout=None)
        for text in (gold, answer)
    ]
    if not all(read):
        return None
    return bool(verify(read[0], read[1], timeout_seconds=None))


def main() -> None:
    """Answer requests until the input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.alarm(FIRST_REQUEST_SECONDS)
    _answer(equal("1", "1"))
    for line in sys.stdin:
        gold, answer, processor_seconds = json.loads(line)
        signal.alarm(REQUEST_SECONDS)
        started = time.process_time()
        signal.setitimer(signal.ITIMER_PROF, processor_seconds)
        try:
            verdict = equal(gold, answer)
        except (Exception, RecursionError, MemoryError):
            verdict = None
        signal.setitimer(signal.ITIMER_PROF, 0)
        # The timer goes off at ticks of some milliseconds; what it let pass is late all the same.
        if time.process_time() - started > processor_seconds:
            signal.raise_signal(signal.SIGPROF)
        _answer(verdict)


def _answer(verdict: bool | None) -> None:
    signal.alarm(0)
    sys.stdout.write(json.dumps(verdict) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    main()
