"""The command `anomalyclip`: one file per verb, each imported only when it runs.

Exit codes of every verb: 0 done; 1 a result could not be written; 2 the call or its input cannot be used;
3 done, but some files failed; 130 interrupted.
"""

from __future__ import annotations

import atexit
import errno
import os
import signal
import sys
import threading
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

import click

from anomalyclip.cli._address_space import check_start, out_of_memory
from anomalyclip.cli._console import report_error
from anomalyclip.cli._group import LazyGroup
from anomalyclip.cli._waiting import wait_briefly
from anomalyclip.errors import AnomalyClipError, OutputError
from anomalyclip.extras import explained

_INTERRUPTED = 130
_STDERR = 2
_ENDLESS = ("watch", "serve")
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def _version(ctx: click.Context, param: click.Parameter, wanted: bool) -> None:
    if wanted:
        from anomalyclip.version import __version__

        click.echo(f"anomalyclip {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)
@click.option(
    "--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version and exit."
)
def app() -> None:
    """Zero-shot visual anomaly detection: find defects in images without training on them."""
    check_start()


def command() -> None:
    """:func:`main` as a program of its own, which ends at once.

    Taking the interpreter and the runtime's graph apart costs a sixth of a run on one picture, for memory that the
    system takes back anyway. What libraries left to do at the end is done; threads that still work are waited for.

    Libraries' warnings are for programmers (`python -W default -m anomalyclip` shows them): of a file, our line tells.
    """
    wait_briefly()
    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    try:
        main()
    except SystemExit as end:
        alone = all(thread.daemon or thread is threading.main_thread() for thread in threading.enumerate())
        if not alone or not isinstance(end.code, int) or sys.gettrace() is not None or sys.getprofile() is not None:
            raise
        atexit._run_exitfuncs()
        try:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
        except (OSError, ValueError):
            raise end from None  # the interpreter says what could not be written
        os._exit(end.code)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the command line; always ends in SystemExit with one of this module's exit codes."""
    _open_standard_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a file name never makes printing fail
    with _signals_interrupt(sys.argv[1:] if argv is None else argv):
        code = _run(argv)
    sys.exit(code)


def _open_standard_streams() -> None:
    """Those that the caller closed (`>&-`) lead nowhere; else a file of results would get their number, and what
    libraries print."""
    while (number := os.open(os.devnull, os.O_RDWR)) <= _STDERR:
        pass
    os.close(number)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115, PTH123 - as long as we run


@contextmanager
def _signals_interrupt(argv: Sequence[str]) -> Iterator[None]:
    """SIGTERM is Ctrl-C: what is done is kept, and no decoder is waited for, which may have a minute to go. Verbs
    without an end have an order of their own."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL if number == signal.SIGTERM else signal.default_int_handler)
        isolation = sys.modules.get("anomalyclip.io.isolation")  # unless no file was read apart
        if isolation is not None:
            isolation.stop_all()
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread() or (argv and argv[0] in _ENDLESS):
        yield
        return
    before = {signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt)}
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # a shell's background jobs ignore it
        before[signal.SIGINT] = signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(argv: Sequence[str] | None) -> int:
    try:
        code = app.main(None if argv is None else list(argv), prog_name="anomalyclip", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except AnomalyClipError as error:
        report_error(error)
        return 1 if isinstance(error, OutputError) else 2
    except ImportError as error:
        told = explained(error)
        if told is None:
            return _of_memory(error)
        report_error(told)
        return 2
    except (click.Abort, KeyboardInterrupt):
        return _INTERRUPTED
    except BrokenPipeError:  # whoever read our output has gone
        _forget_output()
        return 1
    except OSError as error:
        if (words := _of_the_machine(error)) is None:
            return _of_memory(error)
        _forget_output()
        report_error(AnomalyClipError(words))
        return 1
    except (MemoryError, RuntimeError) as error:
        return _of_memory(error)


def _of_memory(error: Exception) -> int:
    """Tell of a want of memory or threads; what has another reason is raised again."""
    words = out_of_memory(error)
    if words is None:
        raise error
    try:
        report_error(AnomalyClipError(words))
    except (MemoryError, ImportError, RuntimeError):  # there is not even enough for colours
        os.write(_STDERR, f"error: {words}\n".encode(errors="replace"))
    return 2


def _forget_output() -> None:
    """Nor may flushing at the end fail."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _of_the_machine(error: OSError) -> str | None:
    """What no file of the user's can be blamed for; None if it is neither of these."""
    if error.errno in _FULL and error.filename is None:
        return f"standard output cannot be written ({error.strerror}); make room there, or send it elsewhere"
    try:
        Path.cwd()
    except FileNotFoundError:
        return "the working folder was deleted; change to another one, and try again"
    return None
