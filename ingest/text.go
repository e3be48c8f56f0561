package ingest

import (
	"strconv"
	"strings"

	"millrace/ingest/enrich"
)

// clip shortens s for a message.
func clip(s string) string { return clipN(s, 60) }

func clipN(s string, most int) string {
	if len(s) <= most {
		return s
	}
	return enrich.Cut(s, most) + "…"
}

func quote(s string) string { return strconv.Quote(clip(s)) }

func itoa(n int) string { return strconv.Itoa(n) }

// firstLanguage returns the first tag of an Accept-Language header, "" if it is no tag.
func firstLanguage(header string) string {
	if i := strings.IndexAny(header, ",;"); i >= 0 {
		header = header[:i]
	}
	header = strings.TrimSpace(header)
	if len(header) > maxLanguage {
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
