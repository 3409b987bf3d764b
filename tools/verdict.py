"""Reads meson's testlog.json: prints why tests were skipped and what failing ones said.

    verdict.py BUILD TESTLOG COUNTS     writes "passed failed skipped" to the file COUNTS
"""

import json
import sys


def output(test):
    return (test.get("stdout") or "") + (test.get("stderr") or "")


def reason(test):
    lines = [line for line in output(test).splitlines() if line.strip()]
    marked = [line for line in lines if line.lower().startswith("skip")]
    return (marked or lines or ["no reason given"])[-1]


def main():
    build, log, counts = sys.argv[1:]
    passed = failed = skipped = 0
    try:
        with open(log, encoding="utf-8") as file:
            tests = [json.loads(line) for line in file]
    except OSError as error:
        print(f"{build}: no test was run: {error}")
        tests, failed = [], 1
    for test in tests:
        if test["result"] in ("OK", "EXPECTEDFAIL"):
            passed += 1
        elif test["result"] == "SKIP":
            skipped += 1
            print(f"{build}: {test['name']} {reason(test)}")
        else:
            failed += 1
            print(f"---- {build}: {test['name']}: {test['result']}\n{output(test)[-20000:]}\n----")
    with open(counts, "w", encoding="utf-8") as file:
        file.write(f"{passed} {failed} {skipped}\n")


main()
