#!/usr/bin/env bash
# crawler-user-agents, the list that many web statistics know bots by, takes phones for crawlers: it holds the build number that
# the Android 15 of OPPO, realme, OnePlus and Infinix shares (tagged "scanner", from one user agent of Instagram's app), and the
# words Sonic, Butterfly, Fever, Viber and Sogou, which are in the names of phones, apps and a browser.
#
# Seen on 2026-11-29 with 1.67.0 (PyPI, released October 2026; 1.60.0 does the same): is_crawler is True for each of the people
# below and False for the two that differ from them in the word alone. Of the 34,391 user agents of browsers in the tests of
# device-detector 6.5.1, 51 match: AP3A.240617.008 20, Sogou 18, Sonic 5, Butterfly 3, Fever 2 and three others 1 each.
#
# Needs Python 3 and a package index. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
python3 -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check crawler-user-agents==1.67.0
"$dir/venv/bin/python" - <<'PY'
import importlib.metadata
import sys

import crawleruseragents

ENGINE = "AppleWebKit/537.36 (KHTML, like Gecko)"
CASES = [
    (True, f"Mozilla/5.0 (Linux; Android 15; CPH2701 Build/AP3A.240617.008) {ENGINE} Chrome/140.0.0.0 Mobile Safari/537.36"),
    (False, f"Mozilla/5.0 (Linux; Android 15; CPH2701 Build/AP3A.240905.015) {ENGINE} Chrome/140.0.0.0 Mobile Safari/537.36"),
    (True, f"Mozilla/5.0 (Linux; Android 5.0.2; HTC Butterfly 2) {ENGINE} Chrome/60.0.3112.107 Mobile Safari/537.36"),
    (False, f"Mozilla/5.0 (Linux; Android 5.0.2; HTC Desire 2) {ENGINE} Chrome/60.0.3112.107 Mobile Safari/537.36"),
    (True, f"Mozilla/5.0 (Windows NT 10.0; Win64; x64; ViewSonic) {ENGINE} Chrome/124.0.0.0 Safari/537.36"),
    (True, f"Mozilla/5.0 (Linux; Android 8.1.0; Fever_Plus) {ENGINE} Chrome/83.0.4103.106 Mobile Safari/537.36"),
    (True, f"Mozilla/5.0 (Linux; Android 14; SM-A546B; wv) {ENGINE} Version/4.0 Chrome/130.0.0.0 Mobile Safari/537.36 Viber/23.9.2.0"),
    (True, f"Mozilla/5.0 (Linux; Android 12; V2072A) {ENGINE} Chrome/83.0.0.0 Mobile Safari/537.36 SogouMSE,SogouMobileBrowser/5.30.8"),
]
print("crawler-user-agents", importlib.metadata.version("crawler-user-agents"))
changed = 0
for want, agent in CASES:
    got = crawleruseragents.is_crawler(agent)
    print(got, agent)
    changed += got != want
sys.exit(1 if changed else 0)
PY
