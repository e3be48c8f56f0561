package accesslog

import (
	"errors"
	"net/netip"
	"strconv"
	"strings"
)

// Errors of the text before the time. They name its form and never quote it: it holds addresses, and errors get
// logged.
var (
	errNoHost    = errors.New("no host at its start")
	errTwo       = errors.New("two addresses at its start: it does not follow which one is the client's")
	errNoClient  = errors.New(`no client: the first field is "-" or "unknown"`)
	errSocket    = errors.New(`no client: the first field is "unix:", the peer on a socket; log the address that the proxy passes on`)
	errAddress   = errors.New("the first field looks like an address and is none")
	errNoVisitor = errors.New("no client behind the virtual host")
	errPrefix    = errors.New("text before the client, such as syslog or a container runtime writes: cut it off first")
	errJSON      = errors.New("JSON: take the text of the log out of it first")
	errHost      = errors.New("the first field is neither an address nor a host name")
)

// clientOf finds the client in the text before the time, which is "client ident user", with a virtual host before it or not.
// A client is an address, returned without port, brackets and zone, or where the server looks names up, a
// host name. A list as of X-Forwarded-For stands for its first public address: a log does not say which of the
// entries are proxies, so unlike the collector, which knows, this believes the farthest. Text that can be read in two
// ways is an error: a wrong client is a wrong visitor, and nothing shows it.
func clientOf(head string) (client, vhost string, err error) {
	if strings.HasPrefix(head, "{") {
		return "", "", errJSON
	}
	words := strings.Fields(head)
	if len(words) == 0 {
		return "", "", errNoHost
	}
	first := words[0]
	addr, n := addressAt(words)
	switch {
	case n == 0:
		return clientBehind(words)
	case !hasAddress(words[n:]):
		return addr, "", nil
	case isServer(first):
		addr, n = addressAt(words[1:])
		if n > 0 && !hasAddress(words[1+n:]) {
			return addr, first, nil
		}
	}
	return "", "", errTwo
}

// clientBehind finds the client in words of which the first is no address: behind a virtual host, or a host name.
func clientBehind(words []string) (client, vhost string, err error) {
	first := words[0]
	name, port, hasPort := strings.Cut(first, ":")
	isVhost := isHostName(name) && (!hasPort || isPort(port))
	if addr, n := addressAt(words[1:]); n > 0 && (isVhost || first == "-") {
		if hasAddress(words[1+n:]) {
			return "", "", errTwo
		}
		return addr, first, nil
	}
	switch {
	case first == "-", strings.EqualFold(first, "unknown"):
		return "", "", errNoClient
	case first == "unix:":
		return "", "", errSocket
	case hasAddress(words[1:]), isStamp(first):
		return "", "", errPrefix
	}
	// "vhost client ident user" is four words at least, and hardly any server asks for the ident.
	four := len(words) >= 4 && words[2] == "-" && words[1] != "-"
	switch {
	case isVhost && (hasPort || four):
		if len(words) < 4 || !isHostName(words[1]) {
			return "", "", errNoVisitor
		}
		return words[1], first, nil
	case looksLikeAddress(first):
		return "", "", errAddress
	case !isHostName(first):
		return "", "", errHost
	case len(words) > 1 && words[1] != "-" && !strings.Contains(first, "."):
		return "", "", errPrefix // "May 17 10:05:03 web nginx: …"
	}
	return first, "", nil
}

// addressAt reads the address, or the list of addresses, that words begin with, and returns how many words it is; 0 if there
// is none.
func addressAt(words []string) (addr string, n int) {
	if len(words) == 0 {
		return "", 0
	}
	n = 1
	for n < len(words) && (strings.HasSuffix(words[n-1], ",") || strings.HasPrefix(words[n], ",")) {
		n++
	}
	list := strings.Split(strings.Join(words[:n], ""), ",")
	var best netip.Addr
	for _, entry := range list {
		a, ok := parseAddress(entry)
		if !ok && (len(list) == 1 || !strings.EqualFold(entry, "unknown") && entry != "-") {
			return "", 0
		}
		if ok && (!best.IsValid() || isInner(best) && !isInner(a)) {
			best = a
		}
	}
	if !best.IsValid() {
		return "", 0
	}
	return best.String(), n
}

// parseAddress reads an address with or without port and brackets. A zone is dropped, and an IPv4 address within IPv6 is
// the IPv4 address.
func parseAddress(s string) (netip.Addr, bool) {
	a, err := netip.ParseAddr(s)
	if err != nil {
		inner, bracket := strings.CutPrefix(s, "[")
		if bracket {
			inner, bracket = strings.CutSuffix(inner, "]")
		}
		if bracket {
			a, err = netip.ParseAddr(inner)
		} else {
			var ap netip.AddrPort
			ap, err = netip.ParseAddrPort(s)
			a = ap.Addr()
		}
	}
	return a.Unmap().WithZone(""), err == nil
}

// hasAddress reports whether one of the words is an address.
func hasAddress(words []string) bool {
	for _, w := range words {
		if _, ok := parseAddress(strings.Trim(w, `(),"`)); ok {
			return true
		}
	}
	return false
}

// isServer reports whether an address with a port is a server's, not a client's: Apache's name of a virtual host that has none
// is its address.
func isServer(word string) bool {
	ap, err := netip.ParseAddrPort(word)
	if err != nil {
		return false
	}
	port := ap.Port()
	return port < 1024 || port >= 8000 && port < 9000
}

// isInner reports whether an address can't be a visitor's on the internet: loopback, private, link-local, shared by a
// provider's customers, or none at all.
func isInner(a netip.Addr) bool {
	shared := netip.PrefixFrom(netip.AddrFrom4([4]byte{100, 64, 0, 0}), 10)
	return a.IsLoopback() || a.IsPrivate() || a.IsLinkLocalUnicast() || a.IsUnspecified() || shared.Contains(a)
}

func isPort(s string) bool {
	_, err := strconv.ParseUint(s, 10, 16)
	return err == nil
}

// isHostName reports whether s is a name as DNS has them. One that ends in a number is none: it is a broken address.
func isHostName(s string) bool {
	s = strings.TrimSuffix(s, ".")
	if s == "" || len(s) > 253 || strings.EqualFold(s, "unknown") {
		return false
	}
	label := ""
	for label, s = nextLabel(s); ; label, s = nextLabel(s) {
		if label == "" || len(label) > 63 || strings.Trim(label, hostChars) != "" {
			return false
		}
		if s == "" {
			return strings.Trim(label, "0123456789-") != ""
		}
	}
}

const hostChars = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_"

func nextLabel(s string) (label, rest string) {
	label, rest, dot := strings.Cut(s, ".")
	if dot && rest == "" {
		rest = "." // a dot too many: an empty label follows
	}
	return label, rest
}

func looksLikeAddress(s string) bool {
	return strings.Trim(s, "0123456789.:[]") == "" || strings.Count(s, ":") > 1 && strings.Trim(s, "0123456789abcdefABCDEF.:[]") == ""
}

// isStamp reports whether a word is how the lines of a log of logs begin: <134>, 2024-05-17T10:05:03Z, or in brackets.
func isStamp(s string) bool {
	return strings.HasPrefix(s, "<") || strings.HasPrefix(s, "[") ||
		len(s) >= 10 && s[4] == '-' && s[7] == '-' && strings.Trim(s[:4]+s[5:7]+s[8:10], "0123456789") == ""
}
