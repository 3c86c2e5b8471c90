#!/usr/bin/env python3
"""The disk's limit: 10 kB messages appended to one file and flushed after every group, per second.

  fsync_probe.py --dir DIR [--groups 1 20 200]
"""
import argparse
import json
import os
import time


def appended_per_second(folder, size, group, seconds):
    path = os.path.join(folder, "fsync_probe.%d" % os.getpid())
    fd = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_TRUNC, 0o600)
    data, count, begun = os.urandom(size) * group, 0, time.perf_counter()
    while time.perf_counter() < begun + seconds:
        os.write(fd, data)
        os.fdatasync(fd)
        count += group
    took = time.perf_counter() - begun
    os.close(fd)
    os.unlink(path)
    return count / took


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--dir", required=True)
    p.add_argument("--size", type=int, default=10240)
    p.add_argument("--seconds", type=float, default=2)
    p.add_argument("--groups", type=int, nargs="*", default=[1, 20, 200])
    a = p.parse_args()
    for group in a.groups:
        print(json.dumps({"group": group, "per_s": round(appended_per_second(a.dir, a.size, group, a.seconds), 1)}), flush=True)


if __name__ == "__main__":
    main()
