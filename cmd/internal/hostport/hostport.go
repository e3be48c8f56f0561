package hostport

import (
	"net"
	"net/netip"
	"strconv"
	"strings"

	"millrace/cmd/internal/cli"
)

// Listen returns what is wrong with an address to listen on, and what would be right. Whether it can
// be had shows when it is tried. Port is that of the address that is suggested for one without.
func Listen(flag, addr, port string) error {
	if isNumber(addr) {
		return cli.Usagef("%s: %q is not HOST:PORT; write :%s for all addresses of this machine, or 127.0.0.1:%s for itself alone", flag, addr, addr, addr)
	}
	return check(flag, addr, port)
}

// Brokers returns what is wrong with the addresses of --kafka.
func Brokers(addrs []string) error {
	const port = "9092"
	if all := strings.Join(addrs, ","); strings.Contains(all, "@") {
		return check("--kafka", all, port) // a password may hold commas
	}
	for _, addr := range addrs {
		if strings.ContainsAny(addr, " \t;") && len(strings.Fields(addr)) > 1 {
			return cli.Usagef("--kafka: %q is more than one address; write a comma between two, and no blank", addr)
		}
		if strings.HasPrefix(addr, ":") && isNumber(addr[1:]) {
			return cli.Usagef("--kafka: %q has no host; write 127.0.0.1%s", addr, addr)
		}
		if err := check("--kafka", addr, port); err != nil {
			return err
		}
	}
	return nil
}

// check returns what is wrong with HOST:PORT. Port is that of the address that is suggested for
// one without.
func check(flag, addr, port string) error {
	_, rest, isURL := strings.Cut(addr, "://")
	at := strings.LastIndexByte(addr, '@')
	if at >= 0 {
		rest = addr[at+1:] // what is before it is a password
		addr = "…@" + rest
	}
	if isURL || at >= 0 {
		host, _, _ := strings.Cut(rest, "/")
		if _, _, err := net.SplitHostPort(host); err != nil && host != "" {
			host = withPort(host, port)
		}
		if isURL {
			return cli.Usagef("%s: %q is a URL; write %s", flag, addr, host)
		}
		return cli.Usagef("%s: %q has a user or a password, which is not taken; write %s", flag, addr, host)
	}
	if bracketed, ok := bareIPv6(addr, port); ok {
		return cli.Usagef("%s: %q is an IPv6 address, which is written in brackets: %s", flag, addr, bracketed)
	}
	host, p, err := net.SplitHostPort(addr)
	switch {
	case err == nil && p != "" && isMistakenIP(addr, host):
		return cli.Usagef("%s: %q: %q is no IP address", flag, addr, host)
	case err != nil && addr != "" && !strings.Contains(strings.TrimPrefix(addr, "["), "[") && !strings.ContainsAny(addr, " /") && !hasPort(addr):
		return cli.Usagef("%s: %q has no port; write %s", flag, addr, withPort(addr, port))
	case err != nil || p == "":
		return cli.Usagef("%s: %q is not HOST:PORT, such as 127.0.0.1:%s", flag, addr, port)
	}
	if isNumber(p) {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil {
			return cli.Usagef("%s: %q: there is no port %s, only 0 to 65535", flag, addr, p)
		} else if n == 0 && flag == "--kafka" {
			return cli.Usagef("%s: %q: port 0 is no broker's", flag, addr)
		}
		return nil
	}
	if _, err := net.LookupPort("tcp", p); err != nil {
		return cli.Usagef("%s: %q: port %q is no number", flag, addr, p)
	}
	return nil
}

// isMistakenIP reports whether a host is written as an IP address and is none: names do not end
// in a number, and nothing else stands in brackets.
func isMistakenIP(addr, host string) bool {
	last := host[strings.LastIndexByte(host, '.')+1:]
	if _, err := netip.ParseAddr(host); err == nil || !isNumber(last) && !strings.HasPrefix(addr, "[") {
		return false
	}
	return true
}

// hasPort reports whether there is a colon that is not part of an address in brackets.
func hasPort(addr string) bool {
	if strings.HasPrefix(addr, "[") && strings.HasSuffix(addr, "]") {
		return false
	}
	return strings.Contains(addr, ":")
}

func withPort(host, port string) string {
	return net.JoinHostPort(strings.Trim(host, "[]"), port)
}

// bareIPv6 returns how an IPv6 address without brackets is written, with the port that it may end
// in: a last part of four or five decimal digits is taken for one.
func bareIPv6(addr, port string) (string, bool) {
	if strings.Contains(addr, "[") {
		return "", false
	}
	if i := strings.LastIndexByte(addr, ':'); i > 0 && len(addr)-i > 4 && isNumber(addr[i+1:]) {
		host := addr[:i]
		if ip, err := netip.ParseAddr(host); err == nil && ip.Is6() {
			return net.JoinHostPort(host, addr[i+1:]), true
		}
	}
	ip, err := netip.ParseAddr(addr)
	if err != nil || !ip.Is6() {
		return "", false
	}
	return net.JoinHostPort(addr, port), true
}

func isNumber(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}
