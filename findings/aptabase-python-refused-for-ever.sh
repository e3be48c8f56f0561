#!/usr/bin/env bash
# aptabase, the library for Python, never gives up what its server refuses: a batch that got 400 goes back to the head of the queue and
# is sent again at every flush, every 10 s by default, and nothing that is tracked later passes it but in the same batch of at most 25.
# So a server that refuses one event for what is wrong with it hears of it for as long as the process lives, and gets nothing else once
# 25 such wait. Aptabase's own server drops single events of a batch and answers 200 for that reason, but it has 404 for an unknown
# App-Key and 400 for more than 25. Each event's timestamp is the local time with a "Z" behind it, as if it were UTC.
#
# Seen on 2026-11-29 with 0.1.0 (PyPI, Python 3.11), against a server on loopback that answers 400 to every batch, with a flush every
# 0.2 s and max_batch_size 2: the first two events are sent at least four times, the third never; with TZ=EST5 the
# timestamps are 5 hours behind the clock.
#
# Needs Python 3 and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check aptabase==0.1.0
env -u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY -u all_proxy -u ALL_PROXY TZ=EST5 "$dir/venv/bin/python" - <<'PY'
import asyncio
import datetime
import http.server
import importlib.metadata
import json
import logging
import sys
import threading

from aptabase import Aptabase

logging.disable(logging.ERROR)
batches = []


class Refuser(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        batches.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        self.send_response(400)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Refuser)
threading.Thread(target=server.serve_forever, daemon=True).start()


async def main():
    url = f"http://127.0.0.1:{server.server_port}/"
    async with Aptabase("A-SH-1", base_url=url, max_batch_size=2, flush_interval=0.2) as client:
        for name in ("first", "second", "third"):
            await client.track(name)
        for _ in range(200):
            if len(batches) >= 4:
                break
            await asyncio.sleep(0.1)


asyncio.run(main())
server.shutdown()
names = [[event["eventName"] for event in batch] for batch in batches]
said = datetime.datetime.fromisoformat(batches[0][0]["timestamp"].replace("Z", "+00:00"))
behind = round((datetime.datetime.now(datetime.timezone.utc) - said).total_seconds() / 3600)
print("aptabase", importlib.metadata.version("aptabase"))
print(len(names), "batches, all of them", names[0], "the timestamps", behind, "hours behind")
sys.exit(0 if len(names) >= 4 and all(batch == ["first", "second"] for batch in names) and behind == 5 else 1)
PY
