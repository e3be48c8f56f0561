package posthog

import (
	"strings"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

const (
	// tokenPath names the token in errors.
	tokenPath = "api_key"
	// maxEngaged is the longest time in use that a ping may report: no visit is longer than a month.
	maxEngaged = 31 * 24 * event.Hour
)

// reader reads the events of one request.
type reader struct {
	*protocol.Parser
	sites   protocol.Sites
	trusted bool
	now     event.Time
	token   string // of the whole body
	unknown int    // events that no site has
	draft
}

// draft is what the properties of an event say, before all of them are known.
type draft struct {
	web              bool // posthog-js has sent it
	own              bool // the event is one of PostHog's own
	insertID         string
	language, locale string
	width, height    string
	amount, currency *strictjson.Value
	duration, scroll *strictjson.Value
	address, agent   string
	exception        *strictjson.Value
	campaign         protocol.Campaign
}

// passedOver reports whether an event of PostHog's is about no doing of a visitor's on a page: his
// name, a group, a flag, a recording.
func passedOver(name string) bool {
	switch name {
	case "$identify", "$create_alias", "$merge_dangerously", "$groupidentify", "$set", "$unset", "$delete", "$opt_in",
		"$feature_flag_called", "$feature_enrollment_update", "$feature_view", "$feature_interaction", "$experiment_started", "$snapshot",
		"$snapshot_items", "$performance_event", "$$heatmap", "$$client_ingestion_warning":
		return true
	}
	return false
}

// add adds an event, none for one that is passed over.
func (r *reader) add(v *strictjson.Value) *protocol.FieldError {
	if v.Type() != strictjson.TypeObject {
		return protocol.BadField("event", "is missing: an event is a JSON object, this is a JSON %s", v.Type())
	}
	name := r.LooseName(protocol.TextOf(v.Get("event")))
	if name == "" {
		return protocol.BadField("event", "is missing")
	}
	if passedOver(name) {
		return nil
	}
	props := v.Get("properties")
	url := r.address(protocol.TextOf(props.Get("$current_url")), protocol.FieldURL)
	site, err := r.site(v, props, url)
	if err != nil {
		return err
	}
	in := r.Next()
	in.Site, in.Name, in.URL = site, name, url
	in.SetClient(protocol.TextOf(props.Get("$device_id")), protocol.TextOf(props.Get("distinct_id")), protocol.TextOf(v.Get("distinct_id")))
	r.draft = draft{web: protocol.TextOf(props.Get("$lib")) == "web", own: name[0] == '$'}
	if obj := props.GetObject(); obj != nil {
		obj.Visit(func(key []byte, v *strictjson.Value) { r.property(in, protocol.View(key), v) })
	} else if props != nil && props.Type() != strictjson.TypeNull {
		r.Adjust(protocol.FieldProps)
	}
	in.URL = r.WithCampaign(url, r.campaign)
	r.columns(in, v)
	r.kind(in)
	return nil
}

// site returns the site of an event: by the key of the project, which the event may have where the
// body has none, or by the page.
func (r *reader) site(v, props *strictjson.Value, url string) (string, *protocol.FieldError) {
	token := r.token
	if token == "" {
		token = tokenOf(v)
	}
	if token == "" {
		token = tokenOf(props)
	}
	host := protocol.HostOf(url)
	site, ok := protocol.FindSite(r.sites, token, host)
	if !ok {
		return "", protocol.NoSite(tokenPath, token, host)
	}
	return site, nil
}

// address returns an address that fits, "" for what is none.
func (r *reader) address(s string, field protocol.Fields) string {
	s = r.LooseText(strings.TrimSpace(s), protocol.MaxURL, field)
	if protocol.CheckURL(s) != "" {
		r.Adjust(field)
		return ""
	}
	return s
}

// columns sets what stands beside the name.
func (r *reader) columns(in *protocol.Input, v *strictjson.Value) {
	d := &r.draft
	id := r.ScalarOf(v.Get("uuid"))
	if id == "" {
		id = d.insertID
	}
	in.ID = r.LooseID(id)
	if d.language == "" {
		d.language = d.locale
	}
	in.Language = r.LooseWhole(d.language, protocol.MaxLanguage, protocol.FieldLanguage, true)
	if d.width != "" && d.width != "0" && d.height != "" && d.height != "0" {
		screen := r.Keep(d.width + "x" + d.height)
		in.Screen = r.LooseWhole(screen, protocol.MaxScreen, protocol.FieldScreen, protocol.CheckScreen(screen) == "")
	}
	if r.trusted {
		in.IP = protocol.LooseAddr(d.address)
		in.UA = r.LooseText(d.agent, protocol.MaxUA, protocol.FieldUA)
		in.Time = protocol.LooseTime(protocol.TextOf(v.Get("timestamp")), r.now)
	}
}

// kind sets what an event has by its name.
func (r *reader) kind(in *protocol.Input) {
	switch in.Name {
	case "$pageleave":
		// Non-interactive for engines of before pings, which take it for an event.
		in.Ping, in.NonInteractive = true, true
		if r.duration != nil {
			const seconds = float64(event.Second)
			if n, err := r.duration.Float64(); err == nil && n >= 0 && n <= float64(maxEngaged)/seconds {
				in.Engaged = event.Time(n * seconds)
			} else {
				r.Adjust(protocol.FieldEngagement)
			}
		}
		if r.scroll != nil {
			if n, err := r.scroll.Float64(); err == nil && n >= 0 && n <= 1 {
				in.Scroll = event.PercentOf(int64(n * 100))
			}
		}
		return
	case "Application Backgrounded": // of the libraries of apps
		in.Ping, in.NonInteractive = true, true
		return
	case "$pageview":
		in.Name = event.Pageview
	case "$screen":
	case "survey shown":
		in.NonInteractive = true
	case "$exception":
		r.exceptionProps()
		in.NonInteractive = true
	default:
		if in.NonInteractive = r.own; !r.own {
			r.NameEvent(in, in.Name)
		}
	}
	r.revenue(in)
	in.Props = r.SortedProps()
}

// revenue sets what an event has earned: an amount in its own currency, or in that of the site. One
// without is a property.
func (r *reader) revenue(in *protocol.Input) {
	if r.amount != nil {
		if r.LooseRevenue(in, r.amount, protocol.CurrencyOf(r.sites, in.Site, protocol.TextOf(r.currency))) {
			return
		}
		r.LooseValue("revenue", r.amount)
	}
	if r.currency != nil {
		r.LooseValue("currency", r.currency)
	}
}

// exceptionProps adds the type and the message of the first error that an event is about.
func (r *reader) exceptionProps() {
	list := r.exception.GetArray()
	if len(list) == 0 {
		return
	}
	if s := protocol.TextOf(list[0].Get("type")); s != "" {
		r.LooseProp("$exception_type", s)
	}
	if s := protocol.TextOf(list[0].Get("value")); s != "" {
		r.LooseProp("$exception_message", s)
	}
}
