"""From arguments to an exit code: every error is caught here, once, and nowhere else."""

from __future__ import annotations

import gc
import io
import os
import sys
from typing import Any

from mlops_cli.cli.options import Options, take
from mlops_cli.errors import MlopsError, NotFound, UsageError

INTERRUPTED = 130
CLOSED_PIPE = 141
COMPLETION = "_MLOPS_COMPLETE"


def run(arguments: list[str]) -> int:
    """Run one command line and return its exit code."""
    if COMPLETION in os.environ:
        return _complete(arguments)
    try:
        try:
            code = _run(arguments)
            sys.stdout.flush()
            return code
        except KeyboardInterrupt:
            return INTERRUPTED
    except BrokenPipeError:
        # the reader is gone: nothing may be written any more, not even by the interpreter's exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return CLOSED_PIPE


def _run(arguments: list[str]) -> int:
    try:
        options, words = take(arguments)
    except UsageError as error:
        return _fail(error, Options(json="--json" in arguments))
    if words[:1] == ["help"]:
        words = [*words[1:], "--help"]
    if not words or words[0] in ("--help", "-h"):
        from mlops_cli.cli.render.help import page

        sys.stdout.write(page())
        return 0
    if words == ["--version"]:
        from mlops_cli import __version__

        sys.stdout.write(f"mlops {__version__}\n")
        return 0
    if words[0] in ("--install-completion", "--show-completion"):
        return _complete(words)
    return _invoke(words, options)


def _invoke(words: list[str], options: Options) -> int:
    from mlops_cli.cli import context, output

    sink = output.Sink(as_json=options.json, quiet=options.quiet, verbose=options.verbose)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # a file name that is not text must not end a command; the escape is valid JSON too
        sys.stdout.reconfigure(
            encoding="utf-8" if options.json else None, errors="backslashreplace"
        )
    _colors(options)
    gc.set_threshold(20_000)  # hardly anything here is a cycle; looking for them costs a tenth
    try:
        if options.directory is not None:
            _enter_directory(options.directory)
        if options.verbose:
            _log(options.verbose)
        context.enter(context.Context(options, sink, _progress(options)))
        answer = _call(words)
        return answer if isinstance(answer, int) else 0
    except MlopsError as error:
        sink.error(error)
        return error.exit_code
    except KeyboardInterrupt:
        from mlops_cli.cli.failure import Interrupted

        sink.error(Interrupted())
        return INTERRUPTED
    except BrokenPipeError:
        raise
    except Exception as problem:
        from mlops_cli.cli import failure

        translated = failure.translate(problem, words)
        sink.error(translated)
        return translated.exit_code


def _call(words: list[str]) -> Any:
    """Parse and run. The group's own `main` would end the process and hide a closed pipe."""
    from mlops_cli.cli.lone import lone

    command = lone(words)

    import typer

    try:
        if command is not None:
            return command()

        from mlops_cli.cli.group import group

        program = group()
        with program.make_context("mlops", list(words)) as click_context:
            return program.invoke(click_context)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None


def _fail(error: MlopsError, options: Options) -> int:
    from mlops_cli.cli.output import Sink

    _colors(options)
    Sink(as_json=options.json, quiet=False, verbose=0).error(error)
    return error.exit_code


def _enter_directory(directory: str) -> None:
    try:
        os.chdir(directory)
    except OSError as exc:
        raise NotFound(
            f"cannot enter {directory}: {exc.strerror}",
            code="no-such-folder",
            hint="give -C a folder that exists",
        ) from exc


def _colors(options: Options) -> None:
    from mlops_cli.cli.render import text

    wanted = options.color and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    text.use_color(
        stdout=wanted and not options.json and sys.stdout.isatty(),
        stderr=wanted and sys.stderr.isatty(),
    )


def _progress(options: Options) -> Any:
    from mlops_cli.cli import bars

    return bars.reporter(
        quiet=options.quiet,
        wanted=options.progress,
        terminal=sys.stderr.isatty() and not os.environ.get("CI"),
    )


def _log(verbose: int) -> None:
    import logging

    logging.basicConfig(
        stream=sys.stderr,
        level=logging.DEBUG if verbose > 1 else logging.INFO,
        format="%(levelname).1s %(name)s: %(message)s",
    )


def _complete(words: list[str]) -> int:
    """Answer the shell's question what may come next, or install the script that asks it."""
    from mlops_cli.cli.completion import answer

    return answer(words, complete_var=COMPLETION)
