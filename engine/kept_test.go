package engine

import (
	"testing"

	"millrace/engine/event"
)

func TestKeptRules(t *testing.T) {
	for _, r := range []Rules{{}, {Grace: 5 * event.Second, Lateness: 6 * event.Hour, VisitTimeout: event.Hour, Values: 20}} {
		got, err := DecodeRules(EncodeRules(r))
		if want := r.WithDefaults(); err != nil || got != want {
			t.Errorf("%+v, %v, want %+v", got, err, want)
		}
	}
	// What builds before this one have written stays readable.
	const text = `{"version":1,"grace":2000,"lateness":21600000,"visitTimeout":1800000,"visitLength":43200000,` +
		`"maxVisits":500000,"dedupHorizon":600000,"maxIDs":4000000,"values":500}`
	if got := string(EncodeRules(Rules{Lateness: 6 * event.Hour})); got != text {
		t.Errorf("%s, want %s", got, text)
	}
	for _, bad := range []string{"", "{}", `{"version":2}`, `{"version":1,"lateness":-1}`, `{"version":1,"values":-1}`, `{"version":1,"grace":"2s"}`} {
		if r, err := DecodeRules([]byte(bad)); err == nil {
			t.Errorf("%s is read as %+v", bad, r)
		}
	}
}
