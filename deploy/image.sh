#!/bin/sh
# Builds the container image of millrace, without Docker and without a base image: an OCI image layout in a tar.
#
#   deploy/image.sh FILE.tar [VERSION]
#
# In it are linux/amd64 and linux/arm64; ARCHS="amd64" chooses. VERSION, by default that of the source, is the image's tag. CA=FILE puts
# other roots of certificates in than Mozilla's. Beside FILE.tar comes one FILE-ARCH.cdx.json for each architecture, its bill of
# materials (CycloneDX).
#
#   deploy/image.sh dist/millrace.tar
#   skopeo copy oci-archive:dist/millrace.tar docker://registry.example.com/millrace:0.1.0 --all
#   docker load -i dist/millrace.tar
#   ctr -n k8s.io images import --all-platforms dist/millrace.tar
#
# The same commit and the same Go give the same digest, wherever it is built.
set -eu
case ${1-} in "" | -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;; esac
case $1 in /*) out=$1 ;; *) out=$PWD/$1 ;; esac
case ${CA-} in "" | /*) ;; *) CA=$PWD/$CA ;; esac
cd "$(dirname "$0")/.."
version=${2-$(sed -n 's/^const version = "\(.*\)"$/\1/p' cmd/millrace/version.go)}
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
created=${SOURCE_DATE_EPOCH-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
set -- --version "$version" --revision "$revision" --created "$created" --license "$PWD/LICENSE" --out "$out"
[ -z "${CA-}" ] || set -- "$@" --ca "$CA"
for arch in ${ARCHS-amd64 arm64}; do
	GOOS=linux GOARCH=$arch deploy/build.sh "$work/$arch"
	set -- "$@" --binary "$arch=$work/$arch"
done
mkdir -p "$(dirname "$out")"
go run -C deploy/image . "$@"
