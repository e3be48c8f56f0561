package influxdb

import "strings"

// Quote returns s as a string literal of InfluxQL. It is the only way for text of others into a query.
//
// A literal begins and ends with ', and knows three escapes: \\, \' and \n. Everything else stands for itself,
// NUL and invalid UTF-8 apart, which no tag value of ours holds and which the servers read differently: they
// become U+FFFD.
func Quote(s string) string { return quote(s, '\'') }

// QuoteName returns s as a quoted identifier. Names come from lists of our own or from the configuration.
func QuoteName(s string) string { return quote(s, '"') }

func quote(s string, mark byte) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	var b strings.Builder
	b.Grow(len(s) + 2)
	b.WriteByte(mark)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case '\\', mark:
			b.WriteByte('\\')
			b.WriteByte(c)
		case '\n':
			b.WriteString(`\n`)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte(mark)
	return b.String()
}
