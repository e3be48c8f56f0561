package lake

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"millrace/internal/blob"
)

// probeKey is the object that Probe writes over and over in a folder. It lies beside the progress,
// whose readers pass it over, so that keys which are for the archive's prefixes alone reach it.
const probeKey = progressPrefix + "probe.parquet"

// oldProbeKey is what a build before wrote.
const oldProbeKey = oldProgressPrefix + "probe.json"

// ProbeObjects are what a bucket is probed with. They lie where probeKey does.
var ProbeObjects = blob.ProbeObjects{
	Prefix: progressPrefix + "probe-",
	Suffix: ".parquet",
	Body:   func(text string) ([]byte, error) { return emptyObject("millrace.probe", text) },
}

// Probe uses each right that archiving needs: it puts an object, gets it back, and lists the
// progress. Deleting is not needed: old progress that stays behind does no harm. A server of buckets
// is also tried for what it makes of objects: one that damages them, or does not list them, must not
// be archived into, since the offsets that are committed then are those of lost events.
func (a *Archiver) Probe(ctx context.Context) error {
	if p, ok := a.o.Store.(blob.Prober); ok {
		report, err := p.Probe(ctx, ProbeObjects)
		a.reportProbe(&report)
		return err
	}
	body, err := emptyObject("millrace.probe", "")
	if err != nil {
		return err
	}
	if err := a.o.Store.Put(ctx, probeKey, body); err != nil {
		return err
	}
	got, err := a.o.Store.Get(ctx, probeKey)
	if err != nil {
		return err
	}
	if !bytes.Equal(got, body) {
		return fmt.Errorf("get %q in %s: it is not what was put there", probeKey, a.o.Store)
	}
	for _, err := range a.o.Store.List(ctx, progressPrefix, "") {
		return err // of the first object: nil if it can be listed
	}
	return nil
}

// reportProbe logs what a probe has found, once in the life of the archiver.
func (a *Archiver) reportProbe(r *blob.ProbeReport) {
	if len(r.Notes)+len(r.Left) == 0 || !a.probeReported.CompareAndSwap(false, true) {
		return
	}
	for _, note := range r.Notes {
		a.o.Log.Info("the archive's server differs from S3, which does no harm", "server", a.o.Store.String(), "what", note)
	}
	if len(r.Left) > 0 {
		a.o.Log.Warn("objects of a probe are left in the archive, where they do no harm and are used again: allow DeleteObject to have them removed",
			"objects", r.Left, "err", r.WhyLeft)
	}
}

// Waiting returns since when a partition has waited for the store, and why if that is known; the
// zero time if none does. A request under way is a wait too: a store that never answers is no
// better than one that refuses.
func (a *Archiver) Waiting() (since time.Time, why error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for w := range a.waits {
		if since.IsZero() || w.since.Before(since) {
			since, why = w.since, w.why
		}
	}
	return since, why
}

// wait is a request that is repeated until it succeeds.
type wait struct {
	since time.Time
	why   error // of the last failure, nil before the first
}

func (a *Archiver) waitFor() *wait {
	w := &wait{since: time.Now()}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.waits[w] = struct{}{}
	return w
}

func (a *Archiver) why(w *wait, err error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.why = err
}

func (a *Archiver) waited(w *wait) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.waits, w)
}
