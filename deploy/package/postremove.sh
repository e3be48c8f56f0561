#!/bin/sh
# The data stays, also when the package is purged: it is the operator's. So does the user whose files it is.
set -e
if [ -d /run/systemd/system ]; then
	systemctl daemon-reload
fi
case ${1-} in
purge)
	rmdir /etc/millrace 2>/dev/null || true
	if rmdir /var/lib/millrace 2>/dev/null || [ ! -e /var/lib/millrace ]; then
		if getent passwd millrace >/dev/null; then userdel millrace; fi
		if getent group millrace >/dev/null; then groupdel millrace; fi
	else
		echo "Millrace's data is left in /var/lib/millrace, and its user millrace"
	fi
	;;
esac
