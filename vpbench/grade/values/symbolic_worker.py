"""The process that compares two formulas with math-verify: reads a JSON pair per line, answers true, false or null.

Run as a script in isolated mode by `symbolic`, which kills it when it takes too long. It bounds its own memory and
processor time first, and ends by an alarm where nobody is left to kill it. Only math-verify's LaTeX reader is used; its
reader for plain expressions would execute code.
null: one of the two wasn't understood.
"""

import json
import resource
import signal
import sys

MEMORY_BYTES = 2 * 1024**3
PROCESSOR_SECONDS = 600
FIRST_REQUEST_SECONDS = 60
REQUEST_SECONDS = 5


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
    resource.setrlimit(resource.RLIMIT_CPU, (PROCESSOR_SECONDS, PROCESSOR_SECONDS))
    seconds = FIRST_REQUEST_SECONDS
    for line in sys.stdin:
        signal.alarm(seconds)
        gold, answer = json.loads(line)
        try:
            verdict = equal(gold, answer)
        except (Exception, RecursionError, MemoryError):
            verdict = None
        signal.alarm(0)
        seconds = REQUEST_SECONDS
        sys.stdout.write(json.dumps(verdict) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    import logging

    logging.disable(logging.CRITICAL)
    main()
