#!/bin/sh
# Builds a deb and an rpm of millrace, without root and without Debian's or Red Hat's tools.
#
#   deploy/package.sh FOLDER [VERSION]
#
# ARCHS="amd64" chooses among amd64 and arm64, FORMATS="deb" among deb and rpm; BINARY=FILE takes one that is built already.
# MAINTAINER="Name <address>" is who stands in the package.
set -eu
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.45.2
case ${1-} in "" | -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;; esac
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
case ${BINARY-} in "" | /*) given=${BINARY-} ;; *) given=$PWD/$BINARY ;; esac
cd "$(dirname "$0")/.."
VERSION=${2-$(sed -n 's/^const version = "\(.*\)"$/\1/p' cmd/millrace/version.go)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || echo 0)} # the time of all files
MAINTAINER=${MAINTAINER-Millrace maintainers <root@localhost>}
export VERSION SOURCE_DATE_EPOCH MAINTAINER ARCH BINARY
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
GOFLAGS='' GOBIN=$work go install "$nfpm"
for ARCH in ${ARCHS-amd64 arm64}; do
	BINARY=$given
	if [ -z "$given" ]; then
		BINARY=$work/millrace
		GOOS=linux GOARCH=$ARCH deploy/build.sh "$BINARY"
	fi
	for format in ${FORMATS-deb rpm}; do
		"$work/nfpm" package --config deploy/package/nfpm.yaml --packager "$format" --target "$out"
	done
done
