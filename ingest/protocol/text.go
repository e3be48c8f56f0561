package protocol

import (
	"strconv"
	"strings"

	"millrace/ingest/identity"
)

// Clip shortens s for a message.
func Clip(s string) string { return clipN(s, 60) }

func clipN(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return identity.Cut(s, most) + "…"
}

// Quote shortens s for a message and puts it in quotes.
func Quote(s string) string { return strconv.Quote(Clip(s)) }

func itoa(n int) string { return strconv.Itoa(n) }

// FirstLanguage returns the first tag of an Accept-Language header, "" if it is no tag.
func FirstLanguage(header string) string {
	for i := range len(header) {
		if header[i] == ',' || header[i] == ';' {
			header = header[:i]
			break
		}
	}
	header = strings.TrimSpace(header)
	if len(header) > MaxLanguage {
		return ""
	}
	for i := 0; i < len(header); i++ {
		c := header[i]
		if (c|0x20 < 'a' || c|0x20 > 'z') && (c < '0' || c > '9') && c != '-' {
			return ""
		}
	}
	return header
}
