#!/bin/sh
# deb: "configure VERSION"; rpm: the number of versions that are there.
set -e
if ! getent group millrace >/dev/null; then
	groupadd --system millrace
fi
if ! getent passwd millrace >/dev/null; then
	useradd --system --gid millrace --home-dir /var/lib/millrace --no-create-home --shell /usr/sbin/nologin millrace
fi
mkdir -p /var/lib/millrace
chown millrace:millrace /var/lib/millrace
chmod 700 /var/lib/millrace
# It may have keys in it.
chown root:millrace /etc/millrace/millrace.yaml
chmod 640 /etc/millrace/millrace.yaml
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
	# An update goes on running as it was told to; a new service is started by its administrator, who names the sites first.
	systemctl try-restart millrace.service
fi
if [ "$1" = 1 ] || { [ "$1" = configure ] && [ -z "${2-}" ]; }; then
	echo "Millrace is installed and not started: edit /etc/millrace/millrace.yaml, then systemctl enable --now millrace"
fi
