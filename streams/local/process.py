"""One child process of the local stack: started in a group of its own with its output in a file, found again later by a
record of its pid and start time, stopped politely and then not.

The record outlives the launcher: `haihe up` returns while Kafka goes on, and `haihe down` is another process. A pid
alone could by then belong to a stranger, so a pid counts only together with the start time the kernel gave it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import msgspec

from streams.errors import SystemFailure

LOG_LIMIT = 16 * 1024 * 1024
"""Bytes: a log larger than this is moved to `<name>.log.1` when its process starts."""

_PR_SET_PDEATHSIG = 1
_POLL = 0.02


class Child(msgspec.Struct, frozen=True):
    """A started process, as it is remembered in the home. `started` is /proc's start time in clock ticks since boot."""

    pid: int
    started: int
    port: int
    log: str

    @property
    def alive(self) -> bool:
        """Whether this very process still runs (a zombie does not)."""
        return start_time(self.pid) == self.started


def spawn(
    argv: Sequence[str], log: Path, port: int, *, env: Mapping[str, str] | None = None, detach: bool = False
) -> Child:
    """Starts `argv`. Its output is appended to `log`. With `detach` it survives this process; without, the kernel kills
    it when this process dies, however that happens. Raises SystemFailure when the program cannot be started."""
    log.parent.mkdir(parents=True, exist_ok=True)
    if log.exists() and log.stat().st_size > LOG_LIMIT:
        log.replace(log.with_name(log.name + ".1"))
    try:
        with log.open("ab") as output, uninterrupted():
            process = subprocess.Popen(
                argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **(env or {})},
                start_new_session=True,  # Ctrl-C reaches the launcher only, which then stops its children in order
                preexec_fn=None if detach else tied_to_this_process(),
            )
    except OSError as error:
        raise SystemFailure(f"cannot start {argv[0]}: {error.strerror}") from None
    started = start_time(process.pid) or 0
    # Somebody must collect the exit status, or the dead child stays a zombie as long as the launcher lives.
    threading.Thread(target=process.wait, name=f"reap-{process.pid}", daemon=True).start()
    return Child(process.pid, started, port, str(log))


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Signals that end a run wait until the block is over. In the middle of a fork Python's own hooks would swallow the
    KeyboardInterrupt and leave the lock of logging taken: Ctrl-C would be lost, and then the process hang."""
    if threading.current_thread() is not threading.main_thread():
        yield  # signals are handled in the main thread only
        return
    came: list[int] = []
    before = {n: signal.getsignal(n) for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    for number in before:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for late in came:
            signal.raise_signal(late)


def stop(child: Child, timeout: float = 20.0) -> None:
    """SIGTERM to the process's group, SIGKILL after `timeout` seconds; returns when it is gone. A pid that belongs to
    somebody else by now is left alone."""
    for number, patience in ((signal.SIGTERM, timeout), (signal.SIGKILL, 10.0)):
        if not child.alive:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        deadline = time.monotonic() + patience
        while child.alive and time.monotonic() < deadline:
            time.sleep(_POLL)  # it may be no child of ours, so there is nothing to wait on but its absence
    if child.alive:
        raise SystemFailure(f"process {child.pid} cannot be stopped")


def tied_to_this_process() -> Callable[[], None]:
    """A `preexec_fn` that makes the kernel send SIGKILL to the child when the thread that starts it ends; so call Popen
    from a thread that lives as long as the program (normally the main one)."""
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def tie() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # the parent died before the line above
            os._exit(1)

    return tie


def tail(log: str, lines: int = 5) -> str:
    """The last lines of a log, for an error message about a process that did not come up."""
    try:
        with Path(log).open("rb") as file:
            file.seek(max(0, file.seek(0, os.SEEK_END) - 8192))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""


def start_time(pid: int) -> int | None:
    """Field 22 of /proc/<pid>/stat, None when there is no such process or only its zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        threads = len(list(Path(f"/proc/{pid}/task").iterdir()))
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()  # the command's name, in brackets, may hold anything
    # A killed JVM's main thread is a zombie at once, while its other threads still hold the ports and the data.
    return None if fields[0] in ("Z", "X") and threads <= 1 else int(fields[19])
