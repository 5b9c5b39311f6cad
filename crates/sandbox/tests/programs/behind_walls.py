"""What functions do in Python, done behind a filter of system calls: prints `fine` at the end."""

import asyncio
import concurrent.futures
import ctypes
import multiprocessing
import os
import select
import shutil
import signal
import socket
import ssl
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time


def square(number):
    return number * number


async def serve():
    async def answer(reader, writer):
        writer.write(await reader.readline())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    writer.write(b"hello\n")
    assert await reader.readline() == b"hello\n"
    writer.close()
    server.close()
    process = await asyncio.create_subprocess_exec("echo", "hello", stdout=asyncio.subprocess.PIPE)
    assert (await process.communicate())[0] == b"hello\n"
    assert await asyncio.get_running_loop().run_in_executor(None, square, 3) == 9


def in_another_process():
    # Pools need POSIX semaphores, which are not to be had on Lambda either; pipes and processes are.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=lambda: theirs.send(square(4)))
    process.start()
    assert ours.poll(30) and ours.recv() == 16
    process.join()


def main():
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(square, range(4))) == [0, 1, 4, 9]
    event = threading.Event()
    threading.Timer(0.001, event.set).start()
    assert event.wait(30)
    assert subprocess.run(["sh", "-c", "echo hello; exit 3"], capture_output=True).returncode == 3
    assert subprocess.check_output("echo hello", shell=True, cwd="/") == b"hello\n"
    in_another_process()
    asyncio.run(serve())
    context = ssl.create_default_context()
    assert context.verify_mode == ssl.CERT_REQUIRED and len(ssl.RAND_bytes(8)) == 8
    with tempfile.TemporaryDirectory() as folder:
        database = sqlite3.connect(os.path.join(folder, "data"))
        database.execute("pragma journal_mode = wal")
        database.execute("create table numbers (number)")
        database.executemany("insert into numbers values (?)", [(1,), (2,)])
        database.commit()
        assert database.execute("select sum(number) from numbers").fetchone() == (3,)
        database.close()
        copied = shutil.copy(os.path.join(folder, "data"), os.path.join(folder, "copy"))
        os.utime(copied), os.chmod(copied, 0o600), os.truncate(copied, 1)
        os.mkfifo(os.path.join(folder, "pipe"))
    one, other = socket.socketpair()
    one.sendall(b"x")
    assert select.select([other], [], [], 30)[0] and other.recv(1) == b"x"
    assert socket.getaddrinfo("localhost", 80)
    signal.signal(signal.SIGALRM, lambda *_: None)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    signal.pause()
    # As numerical libraries do: threads on cores of their own, memory that others see, huge areas.
    os.sched_setaffinity(0, os.sched_getaffinity(0))
    with open("/dev/urandom", "rb") as random:
        assert len(random.read(8)) == 8
    area = __import__("mmap").mmap(-1, 1 << 24)
    area.write(b"x" * (1 << 20))
    area.close()
    descriptor = os.memfd_create("numbers")
    os.write(descriptor, b"1")
    os.close(descriptor)
    assert ctypes.CDLL(None).getpid() == os.getpid()
    assert time.clock_gettime(time.CLOCK_MONOTONIC) > 0 and os.getrandom(4) and os.uname()
    if os.environ["SURROUNDINGS"] == "Shared":
        for forbidden in (
            lambda: socket.socket(socket.AF_UNIX),
            lambda: socket.socketpair(type=socket.SOCK_DGRAM),
        ):
            try:
                forbidden()
            except PermissionError:
                continue
            raise AssertionError("a socket by which others are reached")
    print("fine", flush=True)


if __name__ == "__main__":
    main()
