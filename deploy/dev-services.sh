#!/bin/sh
# Builds and starts an InfluxDB and an S3 server on loopback: see README.md here. All of it is in Go, because
# nothing but Go need be installed; without arguments it says how it is used.
set -eu
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "dev-services: the go command is needed, see go.mod for its version" >&2; exit 1; }
exec go run ./internal/services/cmd/devservices "$@"
