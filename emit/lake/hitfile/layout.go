package hitfile

import (
	"cmp"

	"millrace/engine/event"
	"millrace/engine/hits"
)

var hitLayout = &layout[packed]{
	table: Hits,
	texts: []textColumn[packed]{
		{"site", func(r *packed) uint32 { return r.str[strSite] }},
		{"class", func(r *packed) uint32 { return r.str[strClass] }},
		{"name", func(r *packed) uint32 { return r.str[strName] }},
		{"page", func(r *packed) uint32 { return r.str[strPage] }},
		{"hostname", func(r *packed) uint32 { return r.str[strHostname] }},
		{"entry_page", func(r *packed) uint32 { return r.str[strEntryPage] }},
		{"reason", func(r *packed) uint32 { return r.str[strReason] }},
		{"revenue_currency", func(r *packed) uint32 { return r.str[strCurrency] }},
		{"props", func(r *packed) uint32 { return r.str[strProps] }},
		{"source_topic", func(r *packed) uint32 { return r.str[strTopic] }},
	},
	ints: []intColumn[packed]{
		{"visitor", func(r *packed) (int64, bool) { return int64(r.visitor), r.visitor != 0 }},
		{"visit", func(r *packed) (int64, bool) { return int64(r.visit), r.visit != 0 }},
		{"ts", func(r *packed) (int64, bool) { return int64(r.time), true }},
		{"counted", func(r *packed) (int64, bool) { return int64(r.counted), r.class == hits.Dropped }},
		{"pageview", func(r *packed) (int64, bool) { return bit(r.pageview), true }},
		{"non_interactive", func(r *packed) (int64, bool) { return bit(r.nonInteractive), true }},
		{"revenue_amount", func(r *packed) (int64, bool) { return int64(r.revenue), r.paid }},
		{"engaged_ms", func(r *packed) (int64, bool) { return int64(r.engaged), r.engaged != 0 }},
		{"scroll_depth", func(r *packed) (int64, bool) {
			n, ok := r.scroll.Value()
			return int64(n), ok
		}},
		{"source_partition", func(r *packed) (int64, bool) { return int64(r.partition), true }},
		{"source_offset", func(r *packed) (int64, bool) { return r.offset, true }},
		{"source_index", func(r *packed) (int64, bool) { return int64(r.index), true }},
	},
	origin:  func(r *packed) uint32 { return r.origin },
	site:    func(r *packed) uint32 { return r.str[strSite] },
	visitor: func(r *packed) event.Visitor { return r.visitor },
	time:    func(r *packed) event.Time { return r.time },
	rest: func(t *texts, x, y *packed) int {
		return cmp.Or(cmp.Compare(t.table[x.str[strTopic]], t.table[y.str[strTopic]]), cmp.Compare(x.partition, y.partition),
			cmp.Compare(x.offset, y.offset), cmp.Compare(x.index, y.index))
	},
}

var visitLayout = &layout[packedVisit]{
	table: Visits,
	texts: []textColumn[packedVisit]{
		{"site", func(r *packedVisit) uint32 { return r.str[visitSite] }},
		{"entry_page", func(r *packedVisit) uint32 { return r.str[visitEntryPage] }},
		{"exit_page", func(r *packedVisit) uint32 { return r.str[visitExitPage] }},
		{"hostname", func(r *packedVisit) uint32 { return r.str[visitHostname] }},
		{"source_topic", func(r *packedVisit) uint32 { return r.str[visitTopic] }},
	},
	ints: []intColumn[packedVisit]{
		{"visitor", func(r *packedVisit) (int64, bool) { return int64(r.visitor), r.visitor != 0 }},
		{"visit", func(r *packedVisit) (int64, bool) { return int64(r.visit), true }},
		{"into", func(r *packedVisit) (int64, bool) { return int64(r.into), r.into != 0 }},
		{"begin", func(r *packedVisit) (int64, bool) { return int64(r.begin), true }},
		{"end", func(r *packedVisit) (int64, bool) { return int64(r.end), r.into == 0 }},
		{"events", func(r *packedVisit) (int64, bool) { return int64(r.events), true }},
		{"pageviews", func(r *packedVisit) (int64, bool) { return int64(r.views), true }},
		{"interactive", func(r *packedVisit) (int64, bool) { return bit(r.interactive), true }},
		{"pinged", func(r *packedVisit) (int64, bool) { return bit(r.pinged), true }},
		{"bounce", func(r *packedVisit) (int64, bool) { return bit(r.bounce), true }},
		{"seconds", func(r *packedVisit) (int64, bool) { return r.seconds, true }},
		{"source_partition", func(r *packedVisit) (int64, bool) { return int64(r.partition), true }},
	},
	origin:  func(r *packedVisit) uint32 { return r.origin },
	site:    func(r *packedVisit) uint32 { return r.str[visitSite] },
	visitor: func(r *packedVisit) event.Visitor { return r.visitor },
	time:    func(r *packedVisit) event.Time { return r.begin },
	// A visit has one row, be it its own or its join.
	rest: func(_ *texts, x, y *packedVisit) int { return cmp.Compare(x.visit, y.visit) },
}
