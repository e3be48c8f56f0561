#!/bin/sh
# Starts Apache Kafka on loopback: see README.md here. All of it is in Go; without arguments it says how it is used.
set -eu
cd "$(dirname "$0")/.."
command -v go >/dev/null || { echo "dev-kafka: the go command is needed, see go.mod for its version" >&2; exit 1; }
exec go run ./internal/services/cmd/devkafka "$@"
