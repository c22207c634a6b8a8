"""Whether a known fault is in any pinned package; one that could not be looked up is no good news.

Runs pip-audit, which alone says "No known vulnerabilities" of what it could not ask about.
"""

import json
import subprocess
import sys

ASK = ("--no-deps", "--disable-pip", "--progress-spinner=off", "--format=json", "--desc=on", "-r")


def judged(report):
    """What is wrong, line by line."""
    for one in report["dependencies"]:
        if "skip_reason" in one:
            yield f"{one['name']}: not looked up ({one['skip_reason']})"
        for fault in one.get("vulns", []):
            mends = ", ".join(fault["fix_versions"]) or "no version yet"
            yield f"{one['name']} {one['version']}: {fault['id']}, mended in {mends}"


if __name__ == "__main__":
    tool, *more, pins = sys.argv[1:]
    asked = subprocess.run(
        [tool, *more, *ASK, pins], stdout=subprocess.PIPE, text=True, check=False
    )
    try:
        report = json.loads(asked.stdout)
    except ValueError:
        sys.exit("Nobody could be asked about the packages: nothing is known.")
    faults = list(judged(report))
    print(
        "\n".join([*faults, f"{len(report['dependencies'])} packages, {len(faults)} to look at."])
    )
    sys.exit(bool(faults) or asked.returncode)
