#!/bin/sh
# Installs, runs, updates and removes the packages that deploy/package.sh makes, on a copy of this Debian that is gone afterwards.
#
#   deploy/package/test.sh FILE.deb [FILE.rpm]
#
# Needs root, for namespaces and an overlay over /, and systemd-analyze; for the rpm Debian's rpm. systemd itself does not run in the copy:
# what the unit runs is run as its user, and systemd-analyze reads the unit.
set -eu
fail() { echo "test: $*" >&2; exit 1; }
case ${1-} in "" | -*) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p;}' "$0"; exit 2 ;; esac

if [ "$1" != inside ]; then
	[ "$(id -u)" = 0 ] || fail "needs root"
	work=$(mktemp -d)
	trap 'rmdir "$work"' EXIT
	deb=$(realpath "$1")
	rpm=${2:+$(realpath "$2")}
	unshare --mount --pid --fork --kill-child sh -euc '
		mount -t tmpfs -o size=2g tmpfs "$1"
		mkdir "$1/upper" "$1/work" "$1/root"
		mount -t overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" overlay "$1/root"
		cp "$2" "$1/root/millrace.deb"
		[ -z "$3" ] || cp "$3" "$1/root/millrace.rpm"
		cp "$4" "$1/root/test.sh"
		mount -t proc proc "$1/root/proc"
		mount -t tmpfs tmpfs "$1/root/run"
		mount -t tmpfs tmpfs "$1/root/dev"
		for device in null zero random urandom; do
			touch "$1/root/dev/$device"
			mount --bind "/dev/$device" "$1/root/dev/$device"
		done
		exec chroot "$1/root" sh /test.sh inside
	' sh "$work" "$deb" "$rpm" "$(realpath "$0")"
	exit
fi

# mode FILE MODE OWNER
mode() { [ "$(stat -c '%a %U:%G' "$1")" = "$2 $3" ] || fail "$1: $(stat -c '%a %U:%G' "$1"), want $2 $3"; }

setting() { sed -n "s/^$2=//p" "$1" | head -n 1; }

# runs what the unit runs, counts an event, and stops it as systemd would.
run() {
	unit=$1
	rm -f /tmp/out /tmp/err
	sed -i -e 's/^listen: .*/listen: 127.0.0.1:0/' -e 's/^admin: .*/admin: 127.0.0.1:0/' /etc/millrace/millrace.yaml
	grep -q '^listen: 127.0.0.1:0' /etc/millrace/millrace.yaml || fail "millrace.yaml has no listen"
	command=$(setting "$unit" ExecStart)
	folder=$(setting "$unit" WorkingDirectory)
	# shellcheck disable=SC2086
	(
		cd "$folder"
		umask "$(setting "$unit" UMask)"
		ulimit -n "$(setting "$unit" LimitNOFILE)" 2>/dev/null || true # systemd may raise it, this may not
		exec setpriv --no-new-privs --bounding-set=-all --inh-caps=-all --reuid="$(setting "$unit" User)" --regid="$(setting "$unit" Group)" --clear-groups \
			$command >/tmp/out 2>/tmp/err
	) &
	pid=$!
	tries=0
	until address=$(grep -o 'http://127\.0\.0\.1:[0-9]*' /tmp/out 2>/dev/null | head -n 1) && [ -n "$address" ] && grep -q 'metrics, health' /tmp/out; do
		tries=$((tries + 1))
		[ $tries -lt 600 ] && kill -0 $pid 2>/dev/null || fail "it did not start: $(cat /tmp/out /tmp/err)"
		sleep 0.1
	done
	curl -sf "$address/v1/events" -H 'Content-Type: application/json' -d '{"site":"example.com","name":"pageview","url":"https://example.com/hello"}' || fail "the event is refused"
	tries=0
	until curl -sf "$address/api/v2/query" -H 'Content-Type: application/json' \
		-d '{"site_id":"example.com","metrics":["pageviews"],"date_range":"day","dimensions":["event:page"]}' | tr -d ' \n' | grep -q '{"metrics":\[1\],"dimensions":\["/hello"\]}'; do
		tries=$((tries + 1))
		[ $tries -lt 300 ] || fail "the event is not counted: $(cat /tmp/err)"
		sleep 0.2
	done
	kill "-$(setting "$unit" KillSignal | sed s/^SIG//)" $pid
	wait $pid || fail "it ended with $?: $(cat /tmp/err)"
	[ -d "$folder/lake" ] || fail "nothing was kept in $folder"
}

export DEBIAN_FRONTEND=noninteractive
dpkg -i /millrace.deb
mode /usr/bin/millrace 755 root:root
mode /etc/millrace/millrace.yaml 640 root:millrace
mode /var/lib/millrace 700 millrace:millrace
[ -f /usr/share/doc/millrace/operations.md ] || fail "no documentation"
unit=/lib/systemd/system/millrace.service
systemd-analyze verify --man=no "$unit" || fail "systemd finds fault with the unit"
systemd-analyze security --offline=true --no-pager --threshold=15 "$unit" | tail -n 1
systemd-analyze security --offline=true --no-pager --threshold=15 "$unit" >/dev/null || fail "the unit is exposed to more than 1.5"
run "$unit"

echo '# kept' >>/etc/millrace/millrace.yaml
dpkg -i /millrace.deb
grep -q '# kept' /etc/millrace/millrace.yaml || fail "the update has replaced the settings"
dpkg -r millrace
[ ! -e /usr/bin/millrace ] || fail "the program is left"
[ -e /etc/millrace/millrace.yaml ] || fail "removing it has removed the settings"
dpkg -P millrace
[ ! -e /etc/millrace ] || fail "purging it has left the settings"
[ -d /var/lib/millrace/lake ] || fail "purging it has removed the data"
id millrace >/dev/null || fail "purging it has removed the user whose data is there"
rm -rf /var/lib/millrace
dpkg -i /millrace.deb
dpkg -P millrace
! id millrace 2>/dev/null || fail "purging it has left the user"
echo "--- PASS: deb"

[ -e /millrace.rpm ] || exit 0
rpm -K --nosignature /millrace.rpm
rpm -i --nodeps --force-debian /millrace.rpm
mode /usr/bin/millrace 755 root:root
mode /etc/millrace/millrace.yaml 640 root:millrace
mode /var/lib/millrace 700 millrace:millrace
run /usr/lib/systemd/system/millrace.service
rpm -e --nodeps --force-debian millrace
[ ! -e /usr/bin/millrace ] || fail "the program is left"
[ -d /var/lib/millrace/lake ] || fail "removing it has removed the data"
echo "--- PASS: rpm"
