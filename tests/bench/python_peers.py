"""The Python side of pool_bench: python_peers.py ROLE WORKERS

Prints "ready" and Python's version, then reads commands from standard input, one a line, and answers
each with a number on standard output. Ends when its input does. ROLE is one of

    pool      one multiprocessing.Pool that stays open
                  chunk1 ITEMS SECONDS     map with chunksize 1: tasks per second
                  default ITEMS SECONDS    map with the default chunksize: tasks per second
                  apply TRIPS              median time of apply, in seconds
    open      no standing pool
                  open TIMES               median time to open, map, close and join, in seconds
    executor  one concurrent.futures.ProcessPoolExecutor
                  map ITEMS SECONDS        map with chunksize 1: tasks per second

The work is that of bench_backends.c: a task returns its argument, an integer of 8 bytes; rates are
of whole batches until SECONDS have passed. Each role is a process of its own, so that none forks
while another's threads run. Workers are forked, Python's fastest way of starting them.
"""

import concurrent.futures
import multiprocessing
import platform
import statistics
import sys
import time

VALUE_BASE = 2**56
OPEN_ITEMS_MIN, OPEN_ITEMS_MAX = 2, 10


def echo(value):
    return value


def values(count):
    return [VALUE_BASE + i for i in range(count)]


def rate(batch, count, seconds):
    """Repeat batch(items) until seconds have passed, at least once: items per second."""
    items = values(count)
    total = 0
    start = time.perf_counter()
    while True:
        results = batch(items)
        total += count
        passed = time.perf_counter() - start
        if results[-1] != items[-1] or len(results) != count:
            raise RuntimeError("the results are not what was sent")
        if passed >= seconds:
            return total / passed


def median_time(trip, times):
    taken = []
    for i in range(times):
        start = time.perf_counter()
        trip(i)
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


def open_map_close(context, workers, i):
    count = OPEN_ITEMS_MIN + i % (OPEN_ITEMS_MAX - OPEN_ITEMS_MIN + 1)
    pool = context.Pool(workers)
    pool.map(echo, values(count))
    pool.close()
    pool.join()


def commands(role, context, workers):
    """The role's commands by name, and what to call at the end."""
    if role == "pool":
        pool = context.Pool(workers)

        def end():
            pool.close()
            pool.join()

        return {
            "chunk1": lambda n, s: rate(lambda items: pool.map(echo, items, 1), int(n), float(s)),
            "default": lambda n, s: rate(lambda items: pool.map(echo, items), int(n), float(s)),
            "apply": lambda n: median_time(lambda i: pool.apply(echo, (VALUE_BASE,)), int(n)),
        }, end
    if role == "open":
        return {
            "open": lambda n: median_time(lambda i: open_map_close(context, workers, i), int(n)),
        }, lambda: None
    if role == "executor":
        executor = concurrent.futures.ProcessPoolExecutor(workers, mp_context=context)
        return {
            "map": lambda n, s: rate(lambda items: list(executor.map(echo, items)), int(n), float(s)),
        }, executor.shutdown
    raise SystemExit(f"python_peers.py: no role '{role}'")


def main(role, workers):
    table, end = commands(role, multiprocessing.get_context("fork"), int(workers))
    print("ready", platform.python_version(), flush=True)
    for line in sys.stdin:
        name, *arguments = line.split()
        print(repr(table[name](*arguments)), flush=True)
    end()


if __name__ == "__main__":
    main(*sys.argv[1:])
