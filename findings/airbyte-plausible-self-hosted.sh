#!/usr/bin/env bash
# Airbyte's connector for Plausible's Stats API v1 can't be pointed at a server of one's own, although it has a setting for that
# (api_url). Its schema refuses each address with a scheme, the setting's own example among them, because the pattern allows
# neither colon nor slash before the first dot; and what the pattern allows, an address without a scheme, is then refused by the
# HTTP library. Only the default, which is the vendor's, works. So a server that speaks the API can't be read by it unmodified.
#
# Seen on 2026-11-30 with airbyte-source-plausible 0.1.14 and airbyte-cdk 1.0.0 (PyPI, Python 3.10): "Config validation error" for
# https://plausible.example.com/api/v1/stats, "No scheme supplied" for the same without https://. (With Python 3.11 that cdk does
# not start: "mutable default ... is not allowed".)
#
# Needs Python 3.9 or 3.10 (PYTHON=python3.10) and a package index; makes no request. Exits with 1 if the behaviour has changed.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
"${PYTHON:-python3.10}" -m venv "$dir/venv"
"$dir/venv/bin/pip" install -q --disable-pip-version-check airbyte-source-plausible==0.1.14 airbyte-cdk==1.0.0
changed=0
case_of() { # address, what the connector's check says of it
	printf '{"api_key":"0123456789abcdef","site_id":"shop.example.com","api_url":"%s","start_date":"2026-11-25"}' "$1" >"$dir/config.json"
	local said
	said=$("$dir/venv/bin/source-plausible" check --config "$dir/config.json" 2>/dev/null | grep CONNECTION_STATUS || true)
	echo "$1: $said"
	[[ $said == *FAILED* && $said == *"$2"* ]] || changed=1
}
case_of https://plausible.example.com/api/v1/stats "Config validation error"
case_of plausible.example.com/api/v1/stats "No scheme supplied"
exit $changed
