package protocol

import (
	"strings"

	"millrace/ingest/identity"
)

// Limits of fields in bytes. Browsers cut referrers at 4096; the others are far above what trackers
// send.
const (
	MaxID        = 64
	MaxName      = 120
	MaxURL       = 4096
	MaxUA        = identity.MaxUA
	MaxLanguage  = 35
	MaxScreen    = 16
	MaxVisitor   = 256
	MaxProps     = 30
	MaxPropKey   = 300
	MaxPropValue = 2000
)

// MaxEvents is the most events of one request.
const MaxEvents = 1000

// Fields is a set of fields of an event, whatever a protocol calls them.
type Fields uint32

// The fields. Those up to FieldUnknown may be adjusted.
const (
	FieldName Fields = 1 << iota
	FieldURL
	FieldReferrer
	FieldLanguage
	FieldScreen
	FieldProps
	FieldRevenue
	FieldInteractive
	FieldEngagement
	FieldID
	FieldUnknown // one that the protocol does not have
	FieldSite
	FieldTime
	FieldIP
	FieldUA
	FieldVisitor
	FieldAmount
	FieldCurrency
	FieldClient
)

// adjustable are the names of the fields that may be adjusted, in the order of their bits.
var adjustable = [...]string{"name", "url", "referrer", "language", "screen", "props", "revenue", "interactive", "engagement", "id", "unknown"}

// Adjustable returns the names of the fields that may be adjusted: the label of
// millrace_ingest_requests_adjusted_total.
func Adjustable() []string { return adjustable[:] }

// Has reports whether the field that is i-th of Adjustable is in the set.
func (f Fields) Has(i int) bool { return f&(1<<i) != 0 }

// String returns the names of the fields in the set that may be adjusted.
func (f Fields) String() string {
	var names []string
	for i, name := range adjustable {
		if f.Has(i) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}
