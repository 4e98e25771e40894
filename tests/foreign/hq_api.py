"""Tries every operation of head office's API with schemathesis and tells the share of answers that were a success.

Reads one JSON object from standard input: `url` of the document, `examples` for each operation, `token` of an owner,
`alone` (operation id -> token of an owner whose session or tenant it may end), `folder` for logs, `steady` (the same
cases at every run). Exits 1 when a check failed.
"""

import collections
import json
import os
import pathlib
import subprocess
import sys

CHECKS = ",".join([
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "ignored_auth",
    "negative_data_rejection",
])
HERE = pathlib.Path(__file__).resolve().parent


# Who names a version that is gone is told so before the rest is read: a 412 refuses invalid data too.
CONFIG = """
[checks]
negative_data_rejection.expected-statuses = [400, 401, 403, 404, 405, 406, 409, 412, 415, 422, 428, 429, "5xx"]
"""


def run(asked, name, token, examples, chosen):
    folder = pathlib.Path(asked["folder"])
    (folder / "schemathesis.toml").write_text(CONFIG)
    events, log = folder / f"{name}.ndjson", folder / f"{name}.log"
    command = [
        str(pathlib.Path(sys.executable).parent / "st"), "run", asked["url"],
        "--header", f"Authorization: Bearer {token}",
        "--checks", CHECKS, "--phases", "examples,coverage,fuzzing", "--max-examples", str(examples),
        "--continue-on-failure", "--no-color", "--request-timeout", "60",
        "--warnings", "off", "--suppress-health-check", "all",
        "--report", "ndjson", "--report-ndjson-path", str(events), *chosen,
    ]
    command += ["--generation-deterministic"] if asked.get("steady") else ["--generation-database", "none"]
    environment = {**os.environ, "SCHEMATHESIS_HOOKS": "hq_formats", "PYTHONPATH": str(HERE)}
    with log.open("w") as out:
        done = subprocess.run(command, stdout=out, stderr=subprocess.STDOUT, env=environment, cwd=folder)
    heard = collections.defaultdict(collections.Counter)
    for line in events.read_text().splitlines() if events.exists() else []:
        finished = json.loads(line).get("ScenarioFinished")
        recorder = finished and finished.get("recorder")
        for one in (recorder or {}).get("interactions", {}).values():
            response = one.get("response")
            heard[recorder["label"]][response["status_code"] if response else 0] += 1
    return done.returncode, log, heard


def main():
    asked = json.load(sys.stdin)
    alone = asked["alone"]
    apart = [word for name in alone for word in ("--exclude-operation-id", name)]
    runs = [run(asked, "together", asked["token"], asked["examples"], apart)]
    for name, token in alone.items():
        runs.append(run(asked, name, token, min(asked["examples"], 50), ["--include-operation-id", name]))
    total = collections.Counter()
    for _, _, heard in runs:
        for label, statuses in sorted(heard.items()):
            answers, good = sum(statuses.values()), sum(n for s, n in statuses.items() if 200 <= s < 300)
            total.update({"answers": answers, "good": good, "operations": 1})
            others = " ".join(f"{s}:{n}" for s, n in sorted(statuses.items()))
            print(f"{label:60} {answers:6} answers, {100 * good // max(answers, 1):3} % 2xx   {others}")
    share = 100 * total["good"] // max(total["answers"], 1)
    print(f"{total['operations']} operations, {total['answers']} answers, {share} % 2xx")
    failed = [log for code, log, _ in runs if code != 0]
    for log in failed:
        print(f"--- {log}\n{log.read_text()[-12000:]}")
    sys.exit(1 if failed or not total["answers"] else 0)


main()
