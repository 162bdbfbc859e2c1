"""Sources opened for a run: every one before anything is written, and watched while it is read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from customer_nlp.batch._spool import keep_apart
from customer_nlp.batch._stamps import Stamp, check_unbroken, stamp
from customer_nlp.errors import CustomerNlpError, ParseError, SourceError
from customer_nlp.readers import Threads, is_on_server, read
from customer_nlp.records import Thread

__all__ = ["Input", "open_inputs"]


@dataclass(frozen=True, slots=True)
class Input:
    """One source: where it is, what is read of it, and what it looked like before."""

    key: str
    name: str
    threads: Threads
    stamp: Stamp
    path: Path | None  # of what may change while it is read

    def __iter__(self) -> Iterator[Thread]:
        try:
            yield from self.threads
        except CustomerNlpError:
            raise
        except OSError as error:
            raise SourceError(
                f"The source cannot be read on: {error.strerror or type(error).__name__}. Check "
                "the disk or the network, then run again.",
                source=self.threads.source,
            ) from error
        if self.path is not None:
            check_unbroken(self.path, self.stamp)


def open_inputs(
    stack: ExitStack,
    sources: Iterable[str | os.PathLike[str]],
    written: Sequence[Path],
    *,
    format: str,  # noqa: A002 - the same public name as in `read`
    own_domains: Iterable[str],
    on_error: Callable[[ParseError], object],
    keep_raw: bool = False,
    keep_mails: str,
) -> list[Input]:
    """Open every source, so that a wrong name costs nothing; the stack closes them.

    Parameters
    ----------
    stack : ExitStack
        Of the run.
    sources : iterable of str or path
        What `readers.read` takes.
    written : sequence of Path
        What the run writes; none of them may be a source.
    format, own_domains, on_error, keep_raw, keep_mails
        As for `readers.read`.
    """
    names = [os.fsdecode(source) for source in sources]
    keep_apart(written, [Path(name) for name in names if not is_on_server(name)])
    inputs = []
    for name in names:
        threads = read(
            name, format, own_domains=own_domains, on_error=on_error, keep_raw=keep_raw,
            keep_mails=keep_mails,
        )  # fmt: skip
        stack.callback(threads.close)
        inputs.append(_input(name, threads))
    return inputs


def _input(name: str, threads: Threads) -> Input:
    if fetched := threads.snapshot:
        seen = Stamp(fetched.bytes, 0, 0, fetched.digest)
        return Input(fetched.key, threads.source, threads, seen, None)
    path = Path(name)
    return Input(str(path.absolute()), path.name, threads, stamp(path), path)
