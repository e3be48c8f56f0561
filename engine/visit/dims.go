package visit

import "millrace/engine/window"

// What a visit keeps of its first event is its entry page and hostname, as package window encodes values, and its origin. The entry
// page stands first because it is asked for alone; the origin goes into rows as it is. A hostname that is the site's name,
// as most are, is one byte.

// ownHost stands for the site's name. No value of package window begins with it.
const ownHost = 0xff

// direct is the channel of a visit of which nothing tells where it came from.
const direct = "Direct"

// appendDims appends the dimensions of a visit whose first event has this row. It changes the row's to those of the visit.
func appendDims(b []byte, site string, r *window.Row) []byte {
	dims := &r.Dims
	dims[window.EntryPage] = ""
	if r.Flags&window.PageviewRow != 0 {
		dims[window.EntryPage] = dims[window.Page]
	}
	// It came from the site itself, so what came before is not known.
	for _, d := range [...]window.Dim{window.Source, window.Referrer} {
		if dims[d] == "" {
			dims[d] = window.None
		}
	}
	if dims[window.Channel] == "" {
		dims[window.Channel] = direct
	}
	for i, s := range dims {
		if len(s) > window.MaxValueLen {
			dims[i] = s[:window.MaxValueLen]
		}
	}
	b = window.AppendValue(b, dims[window.EntryPage])
	b = appendHost(b, site, dims[window.Hostname])
	return window.AppendOrigin(b, dims)
}

func appendHost(b []byte, site, host string) []byte {
	if host == site {
		return append(b, ownHost)
	}
	return window.AppendValue(b, host)
}

// cutDims returns the parts of what appendDims has appended, as views.
func cutDims(b []byte, site string) (entry, host string, origin []byte, ok bool) {
	entry, b, ok = window.CutValue(b)
	if !ok {
		return "", "", nil, false
	}
	if len(b) > 0 && b[0] == ownHost {
		return entry, site, b[1:], true
	}
	host, b, ok = window.CutValue(b)
	ok = ok && host != site
	return entry, host, b, ok
}

// validDims reports whether b is what appendDims appends.
func validDims(b []byte, site string) bool {
	var dims [window.NumDims]string
	entry, host, origin, ok := cutDims(b, site)
	if !ok || len(entry) > window.MaxValueLen || len(host) > window.MaxValueLen || !window.ReadOrigin(origin, &dims) {
		return false
	}
	for _, s := range dims {
		if len(s) > window.MaxValueLen {
			return false
		}
	}
	return true
}

// entryPage returns the entry page out of dimensions.
func entryPage(b []byte) string {
	s, _, _ := window.CutValue(b)
	return s
}
