#!/bin/sh
# deb: remove, upgrade, deconfigure; rpm: the number of versions that stay. An update stops nothing here: postinstall restarts.
set -e
case ${1-} in remove | deconfigure | 0) ;; *) exit 0 ;; esac
if [ -d /run/systemd/system ]; then
	systemctl disable --now millrace.service
fi
