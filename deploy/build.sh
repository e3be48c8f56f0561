#!/bin/sh
# Builds millrace as it is released: one static binary, without symbols and without paths of this machine.
#
#   deploy/build.sh [FILE [LIMIT]]
#
# FILE is where it goes, ./millrace by default. LIMIT is the most megabytes (of 1,000,000 bytes, as 54.5) that it may have:
# a larger one is an error, so that nobody links a table or a test service by accident. GOOS and GOARCH choose another
# system:
#
#   GOOS=linux GOARCH=arm64 deploy/build.sh dist/millrace-arm64
#
# The same commit and the same Go give the same bytes, wherever they are built.
set -eu
case ${1-} in -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;; esac
limit=${2-}
case $limit in *[!0-9.]* | *.*.*) echo "build: \"$limit\" is no size in MB such as 54.5" >&2; exit 2 ;; esac
case ${1-} in "" | /*) file=${1-} ;; *) file=$PWD/$1 ;; esac
: "${file:=$PWD/millrace}"
cd "$(dirname "$0")/.."
CGO_ENABLED=0 go build -trimpath -ldflags='-s -w' -o "$file" ./cmd/millrace
size=$(wc -c <"$file")
awk -v size="$size" -v limit="$limit" -v what="$(go env GOOS)/$(go env GOARCH)" -v file="$file" 'BEGIN {
	printf "%.1f MB  %s  %s\n", size / 1e6, what, file
	if (limit != "" && size > limit * 1e6) {
		printf "build: that is more than the limit of %s MB; go tool nm -size -sort size of a build without -s shows why\n", limit >"/dev/stderr"
		exit 1
	}
}'
