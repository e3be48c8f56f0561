package posthog

import (
	"strings"

	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// property reads a property of an event.
func (r *reader) property(in *protocol.Input, key string, v *strictjson.Value) {
	if v.Type() == strictjson.TypeNull {
		return
	}
	if key != "" && key[0] == '$' {
		r.ownProperty(in, key, v)
		return
	}
	d := &r.draft
	switch key {
	case "distinct_id", "token", "api_key":
	case "revenue":
		d.amount = v
	case "currency":
		d.currency = v
	case "utm_source":
		d.campaign.Source = r.utm(v)
	case "utm_medium":
		d.campaign.Medium = r.utm(v)
	case "utm_campaign":
		d.campaign.Name = r.utm(v)
	case "utm_term":
		d.campaign.Term = r.utm(v)
	case "utm_content":
		d.campaign.Content = r.utm(v)
	default:
		if d.web && clickID(key) {
			return
		}
		r.LooseValue(key, v)
	}
}

// utm returns a parameter of a campaign. The one that posthog-js sends is that of the last page
// which had one; the address of this one says whether it has.
func (r *reader) utm(v *strictjson.Value) string {
	if r.web {
		return ""
	}
	return protocol.TextOf(v)
}

// clickID reports whether a property of posthog-js is the id of an advertisement's click, which the
// address of the page has too.
func clickID(key string) bool {
	switch key {
	case "gclid", "gad_source", "gclsrc", "dclid", "gbraid", "wbraid", "fbclid", "msclkid", "twclid", "li_fat_id",
		"mc_cid", "igshid", "ttclid", "rdt_cid", "epik", "qclid", "sccid", "irclid", "_kx", "oppref", "bfcid":
		return true
	}
	return false
}

// ownProperty reads a property that PostHog's library has set.
func (r *reader) ownProperty(in *protocol.Input, key string, v *strictjson.Value) {
	d := &r.draft
	switch key {
	case "$insert_id":
		d.insertID = r.ScalarOf(v)
	case "$referrer":
		if s := protocol.TextOf(v); s != "$direct" {
			in.Referrer = r.LooseText(strings.TrimSpace(s), protocol.MaxURL, protocol.FieldReferrer)
		}
	case "$browser_language":
		d.language = protocol.TextOf(v)
	case "$locale":
		d.locale = protocol.TextOf(v)
	case "$screen_width":
		d.width = r.ScalarOf(v)
	case "$screen_height":
		d.height = r.ScalarOf(v)
	case "$prev_pageview_duration":
		d.duration = v
	case "$prev_pageview_max_content_percentage":
		d.scroll = v
	case "$ip":
		d.address = protocol.TextOf(v)
	case "$raw_user_agent", "$user_agent", "$useragent":
		d.agent = protocol.TextOf(v)
	case "$exception_list":
		d.exception = v
	default:
		if kept(key, v) {
			r.LooseValue(key, v)
		}
	}
}

// kept reports whether a property that PostHog's library has set is one of the event too.
func kept(key string, v *strictjson.Value) bool {
	switch key {
	case "$screen_name", "$event_type", "$el_text", "$external_click_url", "$exception_type", "$exception_message":
		return true
	}
	return strings.HasPrefix(key, "$web_vitals_") && v.Type() == strictjson.TypeNumber
}
