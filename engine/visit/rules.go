package visit

import (
	"cmp"
	"fmt"
	"strings"

	"millrace/engine/event"
)

// Rules say what a visit is. The zero value of a field is its default.
type Rules struct {
	// Timeout is the longest pause within a visit. Default 30 min.
	Timeout event.Time
	// MaxLength is the longest visit. Default 12 h; at most 24 days.
	MaxLength event.Time
	// Lateness is how late an event may come, as in package engine: visits are kept as long. Default 1 h.
	Lateness event.Time
	// MaxPerSite is the number of live visits of a site past which no visit begins, so that one site can't take the
	// memory of all. Default 500,000: some 100 MB.
	MaxPerSite int
}

const (
	// maxLength keeps places within a visit, in ms, in 32 bits.
	maxLength = 24 * 24 * event.Hour
	// maxTime keeps the number of a minute in 31 bits. Package event reads no later times.
	maxTime event.Time = 1 << 46
)

// WithDefaults returns the rules with each zero value replaced by its default.
func (r Rules) WithDefaults() Rules {
	r.Timeout = cmp.Or(r.Timeout, 30*event.Minute)
	r.MaxLength = cmp.Or(r.MaxLength, 12*event.Hour)
	r.Lateness = cmp.Or(r.Lateness, event.Hour)
	r.MaxPerSite = cmp.Or(r.MaxPerSite, 500_000)
	return r
}

// Validate reports all rules that make no sense.
func (r Rules) Validate() error {
	r = r.WithDefaults()
	var bad []string
	if r.Timeout < 0 {
		bad = append(bad, fmt.Sprintf("timeout %d ms is negative", r.Timeout))
	}
	if r.MaxLength < r.Timeout || r.MaxLength > maxLength {
		bad = append(bad, fmt.Sprintf("max length %d ms is not within the timeout of %d ms and 24 days", r.MaxLength, r.Timeout))
	}
	if r.Lateness < 0 {
		bad = append(bad, fmt.Sprintf("lateness %d ms is negative", r.Lateness))
	}
	if r.MaxPerSite < 0 {
		bad = append(bad, fmt.Sprintf("max per site %d is negative", r.MaxPerSite))
	}
	if len(bad) > 0 {
		return fmt.Errorf("visit rules: %s", strings.Join(bad, "; "))
	}
	return nil
}
