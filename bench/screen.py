#!/usr/bin/env python3
"""What looking at frames costs: the processor time of `sora` with it and without, run by turns, as a ratio.

usage: screen.py SORA [RUNS [ARGUMENT ...]]"""
import os
import resource
import statistics
import subprocess
import sys
import tempfile

sora, runs, more = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 20, sys.argv[3:]


def seconds(policy, folder):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sora, "a red fox runs left across the snow", "-o", folder + "/a.mp4", "--no-trace", "--policy", policy, *more],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


with tempfile.TemporaryDirectory() as folder:
    os.environ["SORA_CREDENTIALS"] = folder + "/keys"
    rules = {"looking": folder + "/looking.txt", "not looking": folder + "/not.txt"}
    for name, value in (("looking", "0.8"), ("not looking", "1")):
        with open(rules[name], "w") as f:
            f.write("set generated " + value + "\n")
    seconds(rules["looking"], folder)
    times = {name: [] for name in rules}
    for _ in range(runs):
        for name in rules:
            times[name].append(seconds(rules[name], folder))
    for name in rules:
        t = sorted(times[name])
        print(f"{name}: median {statistics.median(t) * 1000:.0f} ms, least {t[0] * 1000:.0f}, most {t[-1] * 1000:.0f} of {runs} runs")
    pairs = [a / b - 1 for a, b in zip(times["looking"], times["not looking"])]
    print(f"looking costs {100 * (statistics.median(times['looking']) / statistics.median(times['not looking']) - 1):.1f} % by the medians, "
          f"{100 * statistics.median(pairs):.1f} % at the median of the pairs")
