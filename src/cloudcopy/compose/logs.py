"""Logs on stderr, one event a line, in UTC: JSON, or plain words where a person watches.

Nothing that holds a secret is ever passed to a logger: credentials live in types whose
repr hides them, and uvicorn's access log, which would print keys in query strings, is off.
"""

import logging
import sys
from typing import Final

import structlog

QUIET: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "websockets", "httpx2", "alembic")


def configure(*, level: int = logging.INFO) -> None:
    """Set up logging for this process."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *(_for_people() if sys.stderr.isatty() else _for_programs()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        stream=sys.stderr,
        level=logging.WARNING,
        format='{"event": "%(name)s: %(message)s", "level": "%(levelname)s"}',
        force=True,
    )
    for name in QUIET:
        logger = logging.getLogger(name)
        logger.setLevel(logging.WARNING)
        logger.handlers.clear()
        logger.propagate = True
    logging.getLogger("uvicorn.access").disabled = True


def _for_programs() -> list[structlog.typing.Processor]:
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]


def _for_people() -> list[structlog.typing.Processor]:
    # The default formatter shows the values of local variables, credentials among them.
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(exception_formatter=plain, pad_event_to=0)]
