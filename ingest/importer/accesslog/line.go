package accesslog

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"millrace/engine/event"
)

// line is one line of the combined format:
//
//	host ident user [10/Oct/2000:13:55:36 -0700] "GET /page HTTP/1.0" 200 2326 "referrer" "user agent"
//
// as Apache's mod_log_config documents it, or Debian's vhost_combined, with "vhost:port " before it. Fields behind the user
// agent are passed over: many servers add some.
type line struct {
	host, vhost    string // the client, and the virtual host if the line has one
	time           event.Time
	method, target string
	status         int
	referrer, ua   string
	cut            bool   // the line ends in the user agent
	behind         string // what is behind the user agent
}

// parseLine reads a line. Its strings are copies. The error says which part is wrong; it never quotes what is before the
// time, because errors get logged. A user agent that the line ends in is as long as it got: servers cut lines.
func parseLine(b []byte) (line, error) {
	var l line
	head, rest, err := l.cutTime(string(b))
	if err != nil {
		return l, err
	}
	if l.host, l.vhost, err = clientOf(head); err != nil {
		return l, err
	}
	request, rest, err := quoted(rest, beforeStatus)
	if err != nil {
		return l, fmt.Errorf("request: %w", err)
	}
	wrong := l.request(request)
	status, rest, _ := strings.Cut(strings.TrimPrefix(rest, " "), " ")
	if l.status, err = strconv.Atoi(status); err != nil || len(status) != 3 || l.status < 100 {
		return l, fmt.Errorf("status %.10q is not three digits", status)
	}
	if wrong != nil && isWhole(l.status) { // else it is no request, and the server said so
		return l, wrong
	}
	size, rest, _ := strings.Cut(rest, " ")
	if !isSize(size) {
		return l, fmt.Errorf("size %.20q is neither a number nor -", size)
	}
	if rest == "" {
		return l, errors.New("no referrer and user agent: this is the common format, not the combined")
	}
	if l.referrer, rest, err = quoted(rest, beforeQuote); err != nil {
		return l, fmt.Errorf("referrer: %w", err)
	}
	l.ua, l.behind, err = quoted(strings.TrimPrefix(rest, " "), nil)
	if l.cut = errors.Is(err, errNotClosed); err != nil && !l.cut {
		return l, fmt.Errorf("user agent: %w", err)
	}
	return l, nil
}

// whole reports whether a line that lacks its end is known to have all else: its closing quote, or that of what a server
// adds behind it. What is cut off and taken would be another event than the whole line's.
func (l *line) whole() bool {
	behind := strings.TrimRight(l.behind, " ")
	return !l.cut && (behind == "" || strings.HasSuffix(behind, `"`))
}

// cutTime finds the time in brackets, reads it, and returns what is before and behind it. Before it there may be other
// brackets, of an IPv6 address or in a user's name.
func (l *line) cutTime(s string) (head, rest string, err error) {
	if strings.HasPrefix(s, "{") {
		return "", "", errJSON
	}
	if !strings.Contains(s, " ") {
		return "", "", errNoHost
	}
	err = errors.New("no time in brackets")
	const most = 16 // brackets; so that a line of nothing else costs little
	for from, n := 0, 0; ; n++ {
		i := strings.IndexByte(s[from:], '[')
		if i < 0 || n > 0 && strings.IndexByte(s[:from+i], '"') >= 0 || n == most {
			return "", "", err
		}
		at := from + i
		stamp, rest, closed := strings.Cut(s[at+1:], "] ")
		t, bad := time.Parse("02/Jan/2006:15:04:05 -0700", stamp)
		switch {
		case bad == nil && closed:
			if l.time = event.TimeOf(t); !l.time.Valid() {
				return "", "", fmt.Errorf("time %.40q is not between 1970 and 2200", stamp)
			}
			return s[:at], rest, nil
		case closed && at > 0 && s[at-1] == ' ':
			err = stampError(stamp)
		}
		from = at + 1
	}
}

func stampError(stamp string) error {
	if hasAddress(strings.Fields(stamp)) {
		stamp = "(an address)"
	}
	return fmt.Errorf("time %.40q is not like 10/Oct/2000:13:55:36 -0700", stamp)
}

// request splits the request line. "-" is what Apache logs where there was none; it has no method.
func (l *line) request(s string) error {
	if s == "-" || s == "" {
		return nil
	}
	method, target, ok := strings.Cut(s, " ")
	if i := strings.LastIndexByte(target, ' '); i >= 0 && strings.HasPrefix(target[i+1:], "HTTP/") {
		target = target[:i] // of HTTP/0.9 there is no version
	}
	target = strings.Trim(target, " ") // within it a space that the client did not escape stays
	if !ok || target == "" || strings.HasPrefix(target, "HTTP/") {
		return fmt.Errorf("request %.60q is not METHOD TARGET VERSION", s)
	}
	l.method, l.target = method, target
	if method != "GET" {
		return nil
	}
	if scheme, after, ok := strings.Cut(target, "://"); ok && (strings.EqualFold(scheme, "http") || strings.EqualFold(scheme, "https")) {
		target = pathOf(after)
	}
	if target[0] != '/' {
		return fmt.Errorf("request target %.60q is not a path", target)
	}
	l.target = target
	return nil
}

// pathOf returns what is behind the host of an address without scheme.
func pathOf(s string) string {
	if i := strings.IndexByte(s, '/'); i >= 0 {
		return s[i:]
	}
	return "/"
}

func isSize(s string) bool {
	if s == "-" {
		return true
	}
	_, err := strconv.ParseUint(s, 10, 63)
	return err == nil
}

// beforeStatus reports whether a text begins as what is behind the request, " 200 …".
func beforeStatus(s string) bool { return len(s) > 1 && s[0] == ' ' && '0' <= s[1] && s[1] <= '9' }

// beforeQuote reports whether a text begins as what is behind the referrer, ` "…`.
func beforeQuote(s string) bool { return strings.HasPrefix(s, ` "`) }

// quoted reads a quoted string with Apache's escapes and returns what is behind it. Servers that escape nothing leave quotes within
// it: the string ends at the first one behind which the text ends or goes on as next reports, if there is one.
func quoted(s string, next func(rest string) bool) (value, rest string, err error) {
	if s == "" || s[0] != '"' {
		return "", "", errors.New("no opening quote")
	}
	s = s[1:]
	if next != nil {
		if value, rest, err = unquote(s, next); err == nil {
			return value, rest, nil
		}
	}
	return unquote(s, func(string) bool { return true })
}

// unquote is quoted behind the quote that opens.
func unquote(s string, next func(rest string) bool) (value, rest string, err error) {
	var out []byte // nil as long as there was no escape
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' && (i == len(s)-1 || next(s[i+1:])):
			if out == nil {
				return s[:i], s[i+1:], nil
			}
			return string(out), s[i+1:], nil
		case c == '\\':
			if out == nil {
				out = append(make([]byte, 0, len(s)), s[:i]...)
			}
			c, n := unescape(s[i:])
			out = append(out, c)
			i += n - 1
		default:
			if out != nil {
				out = append(out, s[i])
			}
		}
	}
	if out == nil {
		return s, "", errNotClosed
	}
	return string(out), "", errNotClosed
}

// errNotClosed is quoted's error at a string that does not end; it returns the string as far as it goes.
var errNotClosed = errors.New("no closing quote")

// unescape reads the escape that s starts with and returns its byte and its length. What is no escape of Apache's is a
// backslash.
func unescape(s string) (byte, int) {
	if len(s) < 2 {
		return '\\', 1
	}
	switch s[1] {
	case '"', '\\':
		return s[1], 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'v':
		return '\v', 2
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'x':
		if len(s) >= 4 {
			if n, err := strconv.ParseUint(s[2:4], 16, 8); err == nil {
				return byte(n), 4
			}
		}
	}
	return '\\', 1
}
