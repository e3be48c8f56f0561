package engine

import (
	"encoding/json"
	"fmt"

	"millrace/engine/event"
	"millrace/engine/wire"
)

// keptVersion is the version of the form of EncodeRules.
const keptVersion = 1

// kept is the form in which rules are kept with the data. Times are in ms.
type kept struct {
	Version      int        `json:"version"`
	Grace        event.Time `json:"grace"`
	Lateness     event.Time `json:"lateness"`
	VisitTimeout event.Time `json:"visitTimeout"`
	VisitLength  event.Time `json:"visitLength"`
	MaxVisits    int        `json:"maxVisits"`
	DedupHorizon event.Time `json:"dedupHorizon"`
	MaxIDs       int        `json:"maxIDs"`
	Values       int        `json:"values"`
}

// EncodeRules returns the rules that decide what a window holds in the end and how long it may
// change, as JSON without zero values: a build with other defaults reads the same. How often
// something fires early, or at once, is not among them.
func EncodeRules(r Rules) []byte {
	r = r.WithDefaults()
	text, _ := json.Marshal(kept{ // of numbers: never fails
		Version: keptVersion, Grace: r.Grace, Lateness: r.Lateness, VisitTimeout: r.VisitTimeout, VisitLength: r.VisitLength,
		MaxVisits: r.MaxVisits, DedupHorizon: r.DedupHorizon, MaxIDs: r.MaxIDs, Values: r.Values,
	})
	return text
}

// DecodeRules returns the rules that EncodeRules has encoded, those that it leaves out as defaults.
// A value that is missing is the default too.
func DecodeRules(text []byte) (Rules, error) {
	var k kept
	if err := json.Unmarshal(text, &k); err != nil {
		return Rules{}, fmt.Errorf("decode rules: %w", err)
	}
	if k.Version > keptVersion {
		return Rules{}, fmt.Errorf("decode rules: %w", wire.Newer(k.Version, keptVersion, keptVersion))
	}
	if k.Version != keptVersion {
		return Rules{}, fmt.Errorf("decode rules: version %d is not %d", k.Version, keptVersion)
	}
	r := Rules{
		Grace: k.Grace, Lateness: k.Lateness, VisitTimeout: k.VisitTimeout, VisitLength: k.VisitLength,
		MaxVisits: k.MaxVisits, DedupHorizon: k.DedupHorizon, MaxIDs: k.MaxIDs, Values: k.Values,
	}.WithDefaults()
	if err := r.Validate(); err != nil {
		return Rules{}, fmt.Errorf("decode rules: %w", err)
	}
	return r, nil
}
