"""Reads meson's testlog.json: prints why tests were skipped and what failing ones said.

    verdict.py BUILD TESTLOG COUNTS [NAME...]

Writes "passed failed skipped" to the file COUNTS. A test NAME that did not run counts as failed.
"""

import json
import sys


def name_of(test):
    """meson writes "mcr:net / reload"."""
    return test["name"].rpartition(" / ")[2]


def output(test, most=-1):
    """What it printed; of each stream the last `most` characters."""
    streams = [test.get("stdout") or "", test.get("stderr") or ""]
    return "".join(streams if most < 0 else (text[-most:] for text in streams))


def reason(test):
    lines = [line for line in output(test).splitlines() if line.strip()]
    marked = [line for line in lines if line.lower().startswith("skip")]
    return (marked or lines or ["no reason given"])[-1]


def main():
    build, log, counts, *names = sys.argv[1:]
    passed = failed = skipped = 0
    try:
        with open(log, encoding="utf-8") as file:
            tests = [json.loads(line) for line in file]
    except OSError:
        tests, failed = [], 0 if names else 1
        print(f"{build}: no test ran")
    for name in sorted(set(names) - {name_of(test) for test in tests}):
        failed += 1
        print(f"{build}: {name} did not run: `meson test --list` names the tests of a build")
    for test in tests:
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            print(f"{build}: {name_of(test)} {reason(test)}")
        else:
            failed += 1
            print(f"---- {build}: {name_of(test)}: {test['result']}\n{output(test, 10000)}\n----")
    with open(counts, "w", encoding="utf-8") as file:
        file.write(f"{passed} {failed} {skipped}\n")


main()
