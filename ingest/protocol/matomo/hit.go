package matomo

import (
	"strconv"
	"strings"

	"github.com/cespare/xxhash/v2"
	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/spelling"
)

// hit is one hit as it was sent. Of a parameter that comes twice the last counts, as in PHP; of one
// that is a property the first, and the property is adjusted.
type hit struct {
	recorded, ping, custom, imageless bool
	plugin                            bool // it is a report of a plugin that watches films, forms or the mouse

	idsite, url, referrer, title, screen, language string

	goal, revenue            string // idgoal, and its amount
	category, action         string // e_c, e_a
	content, interaction     string // c_n, c_i
	download, link, search   string
	order                    string // ec_id
	cvars                    [3]string
	given, client, user      string // cid, _id and uid: who the visitor is for Matomo
	address, time, userAgent string // of trusted callers
	props                    []event.Prop
	marks                    marks
	sum                      xxhash.Digest // of all that makes the hit this one
}

// marks are the parameters that the script sends with each hit, and no page has in an image's
// address: its clock, a random number, and its visitor's id.
type marks uint8

const (
	markR marks = 1 << iota
	markH
	markM
	markS
	markID
	allMarks = markR | markH | markM | markS | markID
)

// reset empties the hit, which has to be done before the first too.
func (h *hit) reset() {
	*h = hit{props: h.props[:0]}
	h.sum.Reset()
}

// setAll reads the parameters of a query or a form.
func (h *hit) setAll(args *fasthttp.Args) {
	for key, value := range args.All() {
		h.set(protocol.View(key), protocol.View(value))
	}
}

// set reads a parameter.
func (h *hit) set(key, value string) {
	key = spelling.ParamName(key)
	h.mark(key, value)
	switch key {
	case "rec":
		h.recorded = flag(value)
	case "idsite":
		h.idsite = value
	case "url":
		h.url = value
	case "urlref":
		h.referrer = value
	case "action_name":
		h.title = value
	case "res":
		h.screen = value
	case "lang":
		h.language = value
	case "ping":
		h.ping = flag(value)
	case "ca":
		h.custom = flag(value)
	case "send_image":
		h.imageless = value == "0"
	case "idgoal":
		h.goal = value
	case "revenue":
		h.revenue = value
	case "cip":
		h.address = value
	case "cdt":
		h.time = value
	case "ua":
		h.userAgent = value
	case "cvar":
		h.cvars[0] = value
	case "e_cvar":
		h.cvars[1] = value
	case "_cvar":
		h.cvars[2] = value
	case "_id":
		h.client = value
	case "cid":
		h.given = value
	case "uid":
		h.user = value
	default:
		h.detail(key, value)
	}
}

// detail reads a parameter that is a property, or else passes it over.
func (h *hit) detail(key, value string) {
	switch key {
	case "e_a":
		h.action = value // the name of the event
		return
	case "e_c":
		h.category = value
	case "c_n":
		h.content = value
	case "c_i":
		h.interaction = value
	case "download":
		h.download = value
	case "link":
		h.link = value
	case "search":
		h.search = value
	case "ec_id":
		h.order = value
	case "e_n", "e_v", "c_p", "c_t", "search_cat", "search_count",
		"ec_st", "ec_tx", "ec_sh", "ec_dt", "ec_items", "_pks", "_pkn", "_pkc", "_pkp":
	default:
		h.plugin = h.plugin || isPlugin(key)
		if !isDimension(key) {
			return
		}
	}
	if value != "" {
		h.props = append(h.props, event.Prop{Key: key, Value: value})
	}
}

// isPlugin reports whether a parameter is one of Matomo's plugins for media, forms, and heatmaps with
// recordings, which report again and again while a page is open.
func isPlugin(key string) bool {
	return strings.HasPrefix(key, "ma_") || strings.HasPrefix(key, "fa_") || strings.HasPrefix(key, "hsr_")
}

// isDimension reports whether a parameter is a custom dimension.
func isDimension(key string) bool {
	n, ok := strings.CutPrefix(key, "dimension")
	if !ok || n == "" || len(n) > 6 {
		return false
	}
	for i := 0; i < len(n); i++ {
		if n[i] < '0' || n[i] > '9' {
			return false
		}
	}
	return true
}

// mark takes a parameter into the sum of the hit, unless it says how or when the hit is sent.
func (h *hit) mark(key, value string) {
	switch key {
	case "r":
		h.marks |= markR
	case "h":
		h.marks |= markH
	case "m":
		h.marks |= markM
	case "s":
		h.marks |= markS
	case "_id":
		if value != "" {
			h.marks |= markID
		}
	case "send_image", "cdo", "token_auth":
		return
	}
	_, _ = h.sum.WriteString(key)
	_, _ = h.sum.WriteString("=")
	_, _ = h.sum.WriteString(value)
	_, _ = h.sum.WriteString("\n")
}

// id appends the id of a hit of the script, nothing for another.
func (h *hit) id(dst []byte) []byte {
	if h.marks != allMarks {
		return dst
	}
	dst = append(dst, "matomo-"...)
	return strconv.AppendUint(dst, h.sum.Sum64(), 16)
}

// flag reports whether a parameter is a whole number other than 0.
func flag(value string) bool {
	if value == "1" {
		return true
	}
	n, err := strconv.Atoi(value)
	return err == nil && n != 0
}
