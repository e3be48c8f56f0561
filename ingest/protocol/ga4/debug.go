package ga4

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"millrace/engine/event"
	"millrace/ingest/protocol"
	"millrace/internal/strictjson"
)

// message is a finding of the validation, as Google's server writes it.
type message struct {
	Field string `json:"fieldPath"`
	Text  string `json:"description"`
	Code  string `json:"validationCode"`
}

// The codes of Google's that are used.
const (
	valueInvalid  = "VALUE_INVALID"
	valueRequired = "VALUE_REQUIRED"
	nameInvalid   = "NAME_INVALID"
	nameReserved  = "NAME_RESERVED"
	outOfBounds   = "VALUE_OUT_OF_BOUNDS"
	tooMany       = "EXCEEDED_MAX_ENTITIES"
)

// Limits of Google's, in characters, and of numbers of things.
const (
	maxName      = 40
	maxParams    = 25
	maxValue     = 100
	maxUserName  = 24
	maxUserValue = 36
	maxBack      = 72 * event.Hour
	maxMessages  = 100
)

// validation looks through a body of the Measurement Protocol by Google's rules.
type validation struct {
	*protocol.Parser
	now      event.Time
	enforce  bool // validation_behavior is ENFORCE_RECOMMENDATIONS
	page     string
	messages []message
}

func (v *validation) add(code, field, format string, args ...any) {
	if len(v.messages) < maxMessages {
		v.messages = append(v.messages, message{field, fmt.Sprintf(format, args...), code})
	}
}

// body looks through a body.
func (v *validation) body(body []byte) {
	v.Reset()
	r := reader{Parser: v.Parser}
	root, err := r.object(body)
	if err != nil {
		v.add(valueInvalid, "", "%s", err.Error())
		return
	}
	v.enforce = text(root.Get("validation_behavior")) == "ENFORCE_RECOMMENDATIONS"
	if text(root.Get("client_id")) == "" && text(root.Get("app_instance_id")) == "" {
		v.add(valueRequired, "client_id", "Measurement requires a client_id or an app_instance_id.")
	}
	v.time("timestamp_micros", root.Get("timestamp_micros"))
	v.users(root.Get("user_properties"))
	events := root.GetArray("events")
	switch {
	case len(events) == 0:
		v.add(valueRequired, "events", "Measurement requires at least one event.")
	case len(events) > maxEvents:
		v.add(tooMany, "events", "The request has %d events, at most %d are allowed.", len(events), maxEvents)
		return
	}
	for i, e := range events {
		v.event(i, e)
	}
}

// site reports a request whose events no site would have; Google does not look at that.
func (v *validation) site(sites protocol.Sites, token string) {
	host := protocol.HostOf(v.page)
	if _, ok := protocol.FindSite(sites, token, host); !ok {
		v.add(valueInvalid, "measurement_id", "%s", protocol.NoSite(tokenPath, token, host).Error())
	}
}

// event looks through the i-th event.
func (v *validation) event(i int, e *strictjson.Value) {
	name := text(e.Get("name"))
	switch {
	case name == "":
		v.add(valueRequired, "events", "Event at index: [%d] has no name.", i)
	case !letter(name[0]):
		v.add(nameInvalid, "events", "Event at index: [%d] has invalid name [%s]. Names must start with an alphabetic character.", i, protocol.Clip(name))
	case !word(name):
		v.add(nameInvalid, "events", "Event at index: [%d] has invalid name [%s]. Only alphanumeric characters and underscores are allowed.", i, protocol.Clip(name))
	case utf8.RuneCountInString(name) > maxName:
		v.add(outOfBounds, "events", "Event at index: [%d] has a name of more than %d characters [%s].", i, maxName, protocol.Clip(name))
	case reservedEvent(name) || reserved(name):
		v.add(nameReserved, "events", "Event at index: [%d] has name [%s] which is reserved.", i, protocol.Clip(name))
	}
	v.time("events.timestamp_micros", e.Get("timestamp_micros"))
	params := e.Get("params")
	if params == nil {
		return
	}
	obj, err := params.Object()
	if err != nil {
		v.add(valueInvalid, "events.params", "Event at index: [%d] has params that are no object.", i)
		return
	}
	if v.page == "" {
		if v.page = text(params.Get("page_location")); protocol.CheckURL(v.page) != "" {
			v.page = ""
		}
	}
	if obj.Len() > maxParams {
		v.add(tooMany, "events.params", "Event at index: [%d] has %d params, at most %d are allowed.", i, obj.Len(), maxParams)
	}
	obj.Visit(func(key []byte, value *strictjson.Value) { v.param(i, string(key), value) })
	if v.enforce && params.Get("value") != nil && text(params.Get("currency")) == "" {
		v.add(valueRequired, "events.params.currency", "Event at index: [%d] has a value and no currency.", i)
	}
}

// param looks at a parameter of the i-th event.
func (v *validation) param(i int, key string, value *strictjson.Value) {
	field := "events.params." + protocol.Clip(key)
	switch {
	case key == "" || !letter(key[0]) && key[0] != '_' || !word(strings.TrimPrefix(key, "gtag.")):
		v.add(nameInvalid, field, "Event at index: [%d] has a param of invalid name [%s].", i, protocol.Clip(key))
	case utf8.RuneCountInString(key) > maxName:
		v.add(outOfBounds, field, "Event at index: [%d] has a param whose name has more than %d characters.", i, maxName)
	case key == "firebase_conversion" || reserved(key) && key != "ga_session_id" && key != "ga_session_number":
		v.add(nameReserved, field, "Event at index: [%d] has param [%s] whose name is reserved.", i, protocol.Clip(key))
	}
	if key == "timestamp_micros" {
		v.time(field, value)
		return
	}
	if !v.enforce {
		return
	}
	if most := maxParam(key); utf8.RuneCountInString(text(value)) > most {
		v.add(outOfBounds, field, "Event at index: [%d] has a value of more than %d characters.", i, most)
	}
	_, err := strconv.ParseFloat(text(value), 64)
	if key == "value" && value.Type() != strictjson.TypeNumber && err != nil {
		v.add(valueInvalid, field, "Event at index: [%d] has a value that is no number.", i)
	}
	if key == "currency" && !event.ValidCurrency(text(value)) {
		v.add(valueInvalid, field, "Event at index: [%d] has a currency that is not an ISO 4217 code.", i)
	}
}

// maxParam returns how many characters the value of a parameter may have.
func maxParam(key string) int {
	switch key {
	case "page_location":
		return 1000
	case "page_referrer":
		return 420
	case "page_title":
		return 300
	}
	return maxValue
}

// users looks through the properties of the user.
func (v *validation) users(users *strictjson.Value) {
	if users == nil {
		return
	}
	obj, err := users.Object()
	if err != nil {
		v.add(valueInvalid, "user_properties", "User properties are no object.")
		return
	}
	if obj.Len() > maxParams {
		v.add(tooMany, "user_properties", "The request has %d user properties, at most %d are allowed.", obj.Len(), maxParams)
	}
	obj.Visit(func(key []byte, value *strictjson.Value) {
		name, field := string(key), "user_properties."+protocol.Clip(string(key))
		switch {
		case reservedUser(name) || reserved(name):
			v.add(nameReserved, field, "User property [%s] has a name that is reserved.", protocol.Clip(name))
		case name == "" || !letter(name[0]) || !word(name):
			v.add(nameInvalid, field, "User property has invalid name [%s].", protocol.Clip(name))
		case utf8.RuneCountInString(name) > maxUserName:
			v.add(outOfBounds, field, "User property has a name of more than %d characters.", maxUserName)
		}
		if v.enforce && utf8.RuneCountInString(text(value.Get("value"))) > maxUserValue {
			v.add(outOfBounds, field, "User property has a value of more than %d characters.", maxUserValue)
		}
	})
}

// time looks at a time in microseconds: recommended are the last 72 hours.
func (v *validation) time(field string, value *strictjson.Value) {
	if value == nil {
		return
	}
	n, err := micros(value)
	switch {
	case err != nil:
		v.add(valueInvalid, field, "The timestamp is no whole number of microseconds.")
	case v.enforce && (n < v.now-maxBack || protocol.CheckTime(n, v.now, "microseconds") != ""):
		v.add(outOfBounds, field, "The timestamp is not within the last 72 hours.")
	}
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' || c >= utf8.RuneSelf }

// word reports whether a name has letters, digits and underscores alone.
func word(s string) bool {
	for i := 0; i < len(s); i++ {
		if !letter(s[i]) && s[i] != '_' && (s[i] < '0' || s[i] > '9') {
			return false
		}
	}
	return true
}

// reserved reports whether a name begins as Google's own do.
func reserved(name string) bool {
	for _, prefix := range [...]string{"_", "firebase_", "ga_", "google_", "gtag."} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// reservedEvent reports whether the name of an event is reserved.
func reservedEvent(name string) bool {
	switch name {
	case "ad_activeview", "ad_click", "ad_exposure", "ad_query", "ad_reward", "adunit_exposure", "app_clear_data",
		"app_exception", "app_install", "app_remove", "app_store_refund", "app_update", "app_upgrade",
		"dynamic_link_app_open", "dynamic_link_app_update", "dynamic_link_first_open", "error", "first_open",
		"first_visit", "notification_dismiss", "notification_foreground", "notification_open",
		"notification_receive", "notification_send", "os_update", "session_start", userEngagement:
		return true
	}
	return false
}

// reservedUser reports whether the name of a property of the user is reserved.
func reservedUser(name string) bool {
	switch name {
	case "first_open_time", "first_visit_time", "last_deep_link_referrer", "user_id", "first_open_after_install":
		return true
	}
	return false
}
