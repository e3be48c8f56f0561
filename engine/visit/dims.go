package visit

import "millrace/engine/window"

// What a visit keeps of its first event is its entry page and hostname, as package window encodes values, and its origin. The entry
// page stands first because it is asked for alone; the origin goes into rows as it is.

// direct is the channel of a visit of which nothing tells where it came from.
const direct = "Direct"

// appendDims appends the dimensions of a visit whose first event has this row. It changes the row's to those of the visit.
func appendDims(b []byte, r *window.Row) []byte {
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
	b = window.AppendValue(b, dims[window.Hostname])
	return window.AppendOrigin(b, dims)
}

// cutDims returns the parts of what appendDims has appended, as views.
func cutDims(b []byte) (entry, host string, origin []byte, ok bool) {
	entry, b, ok = window.CutValue(b)
	if !ok {
		return "", "", nil, false
	}
	host, b, ok = window.CutValue(b)
	return entry, host, b, ok
}

// validDims reports whether b is what appendDims appends.
func validDims(b []byte) bool {
	var dims [window.NumDims]string
	entry, host, origin, ok := cutDims(b)
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
