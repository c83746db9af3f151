"""The Python side of ipc_bench: python_ipc.py

Prints "ready" and Python's version, then reads commands from standard input, one a line, and answers
each with a number on standard output: how many a second. Ends when its input does. A command is

    WHAT PUTTERS GETTERS SIZE COUNT

    queue, simple_queue   COUNT messages of SIZE bytes, from so many processes to so many others
    pipe                  the same from one process to another, by send_bytes and recv_bytes
    trip                  COUNT messages there and back
    lock                  COUNT times acquire and release, shared by PUTTERS processes

The time runs from the moment at which all processes are let go until the last message was received,
as in ipc_bench_ours.c. Processes are forked, Python's fastest way.
"""

import multiprocessing
import platform
import sys
import time

context = multiprocessing.get_context("fork")


class Run:
    """Processes that are let go together, and the time until all of some of them are done."""

    def __init__(self):
        self.ready, self.done = context.Semaphore(0), context.Semaphore(0)
        self.go = context.Event()
        self.processes = []

    def start(self, work, *arguments):
        def run():
            self.ready.release()
            self.go.wait()
            work(*arguments)
            self.done.release()

        process = context.Process(target=run, daemon=True)
        process.start()
        self.processes.append(process)

    def begin(self):
        for _ in self.processes:
            self.ready.acquire()
        self.start_s = time.perf_counter()
        self.go.set()

    def wait(self, count):
        for _ in range(count):
            self.done.acquire()

    def end(self, count):
        per_s = count / (time.perf_counter() - self.start_s)
        for process in self.processes:
            process.join()
        return per_s


def put_all(queue, message, count):
    for _ in range(count):
        queue.put(message)


def get_all(queue):
    while queue.get() is not None:
        pass


def queue_rate(queue, putters, getters, size, count):
    run = Run()
    for _ in range(putters):
        run.start(put_all, queue, bytes(size), count // putters)
    for _ in range(getters):
        run.start(get_all, queue)
    run.begin()
    # A putter of a Queue is done when all it has put is in the pipe: its process ends only then.
    for process in run.processes[:putters]:
        process.join()
    for _ in range(getters):
        queue.put(None)
    run.wait(putters + getters)
    return run.end(count)


def send_all(end, message, count):
    for _ in range(count):
        end.send_bytes(message)


def receive_all(end, count):
    for _ in range(count):
        end.recv_bytes()


def ask_all(end, message, count):
    for _ in range(count):
        end.send_bytes(message)
        end.recv_bytes()


def answer_all(end, count):
    for _ in range(count):
        end.send_bytes(end.recv_bytes())


def lock_all(lock, count):
    for _ in range(count):
        lock.acquire()
        lock.release()


def pair_rate(first, second, size, count):
    run = Run()
    ours, theirs = context.Pipe()
    run.start(first, ours, bytes(size), count)
    run.start(second, theirs, count)
    run.begin()
    run.wait(2)
    return run.end(count)


def lock_rate(putters, count):
    run = Run()
    lock = context.Lock()
    for _ in range(putters):
        run.start(lock_all, lock, count // putters)
    run.begin()
    run.wait(putters)
    return run.end(count)


def answer(what, putters, getters, size, count):
    if what == "queue":
        return queue_rate(context.Queue(), putters, getters, size, count)
    if what == "simple_queue":
        return queue_rate(context.SimpleQueue(), putters, getters, size, count)
    if what == "pipe":
        return pair_rate(send_all, receive_all, size, count)
    if what == "trip":
        return pair_rate(ask_all, answer_all, size, count)
    if what == "lock":
        return lock_rate(putters, count)
    raise SystemExit(f"python_ipc.py: what is '{what}'?")


def main():
    print("ready", platform.python_version(), flush=True)
    for line in sys.stdin:
        what, *numbers = line.split()
        print(repr(answer(what, *map(int, numbers))), flush=True)


if __name__ == "__main__":
    main()
