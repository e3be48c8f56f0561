package offline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/cmd/internal/datadir"
	"millrace/cmd/internal/stores"
	"millrace/emit/lake"
	"millrace/emit/lake/commits"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/ingest/identity"
	"millrace/ingest/salt"
	"millrace/internal/blob"
)

// ForgetOptions say who is forgotten: one of ClientID, Named and Address.
type ForgetOptions struct {
	// Data is the data folder of a collector, which has the secret and the salts; and the archive, if S3 is empty. Nothing of it is
	// locked or changed but for the archive: a serve may have it.
	Data string
	S3   string
	// Secret takes the place of the one in the data folder; "" for that.
	Secret string

	Site     string
	ClientID string // the id that a tracker's client has, of a site with client ids
	Named    string // what a trusted sender calls the visitor
	// Address and Agent are those of a cookieless visitor, whose id is another one on each Day; Day 2006-01-02 is the site's date, "" all
	// days that there is a salt of.
	Address, Agent, Day string

	// Again has erasures as ForgottenBefore writes them, in the place of a visitor; nil: there are none.
	Again io.ReadCloser

	// DryRun changes nothing.
	DryRun bool
	// Wait is how long it is waited until the archivers have the erasure in force. 0 is not at all.
	Wait  time.Duration
	Steps Steps
	Log   *slog.Logger
	// Now is the wall clock; nil is time.Now.
	Now func() time.Time

	poll time.Duration // between two looks; tests set it
}

// ForgetHelp is the help of the command.
const ForgetHelp = `Takes away what the archive knows of a visitor of a site up to now: rows of events, hits and visits. Queries by hits, replay and the self-audit
know nothing of them any more, whatever is read, imported or made again later. Who comes back is another matter. It works beside a serve, and on any machine that has
the archive; the id of an address needs the data folder of a collector, which has the salts of the last days.

Numbers that were counted stay: sums and sketches have no ids. "millrace replay" of these days counts without the events. Kafka has them until --retention,
and backups as long as you keep them: see "Forgetting a visitor" in docs/identity.md. If a run fails or is ended, run it again.

Examples:

  millrace forget --site shop.example.com --client-id 1234567890.1700000000 --dry-run
  millrace forget --site shop.example.com --address 192.0.2.7 --agent "Mozilla/5.0 (X11; …"
  millrace forget --list > erased.json; millrace forget --again erased.json`

// ErrForget is wrapped by the errors for what can't be asked for.
var ErrForget = errors.New("nobody can be forgotten so")

// ErrNotInForce is wrapped by the error of a Forget that is to be done again: what it has done is in force once an archiver runs.
var ErrNotInForce = errors.New("it is not in force everywhere yet")

// forgetSlack is how much later than now an erasure reaches: the clocks of collectors differ.
const forgetSlack = event.Minute

// Forgotten is what was done, or would be.
type Forgotten struct {
	Site     string
	Visitors []event.Visitor
	Days     []identity.Day // whose ids Visitors are, of an address
	Before   event.Time     // what was received before is erased
	lake.Erasing
	// Hits is whether there are hits, and InForce whether no query of them shows who is erased any more. Unclean is how many of their
	// files may still hold such rows.
	Hits, InForce bool
	Unclean       int
}

// Print says what was done, or would be.
func (f *Forgotten) Print(w io.Writer, dryRun bool) {
	verb := "erased"
	if dryRun {
		verb = "would be erased"
	}
	for i, who := range f.Visitors {
		if i < len(f.Days) {
			fmt.Fprintf(w, "%s: on %s visitor %s\n", f.Site, f.Days[i], who)
		} else if f.Site != "" {
			fmt.Fprintf(w, "%s: visitor %s\n", f.Site, who)
		}
	}
	fmt.Fprintf(w, "%d events %s", f.Rows, verb)
	if f.Rows > 0 {
		fmt.Fprintf(w, ", of %s to %s", f.First, f.Last)
	}
	fmt.Fprintf(w, "; %d objects of the archive looked through, %d written again\n", f.Objects, f.Changed)
	if f.Hits && f.InForce {
		fmt.Fprintf(w, "No query of hits shows them any more. %d files of hits and visits may still hold some: serve looks through them and "+
			"writes them again, and deletes the old ones an hour later\n", f.Unclean)
	}
}

// Forget erases a visitor, or says what that would be. Done twice, it is done once, and covers what came in between. After an error, also
// one that ended it halfway, it is to be done again.
func Forget(ctx context.Context, o ForgetOptions) (*Forgotten, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	store, dir, err := o.open()
	if err != nil {
		return nil, err
	}
	f := &Forgotten{Site: o.Site, Before: event.TimeOf(o.Now()) + forgetSlack}
	erase := lake.EraseOptions{Site: o.Site, DryRun: o.DryRun, Before: f.Before}
	var list []commits.Erasure
	if o.Again != nil {
		list, err = o.readAgain(f)
	} else {
		err = o.find(dir, f, &erase)
		for _, who := range f.Visitors {
			list = append(list, commits.Erasure{Site: o.Site, Visitor: who, Before: f.Before})
		}
		erase.Of = f.Visitors
	}
	if err != nil {
		return nil, err
	}
	if !o.DryRun {
		defer Use(nil, stores.Set{Lake: store}).hold(ctx, "forget")()
		if err := o.putAll(ctx, store, list); err != nil {
			return nil, err
		}
		if err := o.inForce(ctx, store, list, f); err != nil {
			return f, errors.Join(err, o.erase(ctx, store, erase, f))
		}
	}
	return f, o.erase(ctx, store, erase, f)
}

// ForgottenBefore writes all erasures of an archive, one a line as JSON, for Again: keep it beside backups of the archive, which lack what
// is erased after them.
func ForgottenBefore(ctx context.Context, o ForgetOptions, w io.Writer) error {
	store, _, err := o.open()
	if err != nil {
		return err
	}
	list, err := lake.NewReader(store).Erasures(ctx)
	if err != nil {
		return err
	}
	out := json.NewEncoder(w)
	for _, e := range list {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

// readAgain reads erasures that are to be done again.
func (o *ForgetOptions) readAgain(f *Forgotten) (list []commits.Erasure, err error) {
	if o.Site+o.ClientID+o.Named+o.Address != "" || o.DryRun {
		return nil, fmt.Errorf("%w: --again goes alone", ErrForget)
	}
	in := json.NewDecoder(o.Again)
	for {
		var e commits.Erasure
		err := in.Decode(&e)
		if errors.Is(err, io.EOF) {
			return list, nil
		}
		if err == nil {
			err = e.Validate()
		}
		if err != nil {
			return nil, fmt.Errorf("%w: --again: erasure %d: %w; want lines that --list has written", ErrForget, len(list)+1, err)
		}
		list, f.Visitors = append(list, e), append(f.Visitors, e.Visitor)
	}
}

// open opens the archive.
func (o *ForgetOptions) open() (blob.Store, *datadir.Dir, error) {
	abs, err := filepath.Abs(o.Data)
	if err != nil {
		return nil, nil, err
	}
	dir, needs := datadir.Beside(abs), o.S3 == "" || o.Address != "" || o.Secret == "" && (o.ClientID != "" || o.Named != "")
	if _, err := os.Stat(abs); errors.Is(err, fs.ErrNotExist) && needs {
		return nil, nil, fmt.Errorf("there is no data folder %s; name that of a collector with --data", o.Data)
	}
	address := o.S3
	if address == "" {
		address = dir.Lake()
	}
	if err := lakeExists(address); err != nil {
		return nil, nil, err
	}
	store, err := stores.OpenLake(o.S3, dir.Lake())
	return store, dir, err
}

// find finds out the ids of the visitor, and which hours have rows of them.
func (o *ForgetOptions) find(dir *datadir.Dir, f *Forgotten, erase *lake.EraseOptions) error {
	given := 0
	for _, s := range []string{o.ClientID, o.Named, o.Address} {
		if s != "" {
			given++
		}
	}
	switch {
	case event.ValidSite(o.Site) != nil:
		return fmt.Errorf("%w: %q is no site", ErrForget, o.Site)
	case given != 1:
		return fmt.Errorf("%w: give one of --client-id, --visitor and --address", ErrForget)
	case o.Address == "" && (o.Agent != "" || o.Day != ""):
		return fmt.Errorf("%w: --agent and --day go with --address", ErrForget)
	case o.Address != "":
		return o.findDays(dir, f, erase)
	}
	secret, err := o.secret(dir)
	if err != nil {
		return err
	}
	id, err := identity.New(secret, salt.Kept{})
	if err != nil {
		return err
	}
	if o.ClientID != "" {
		f.Visitors = []event.Visitor{id.Client(o.Site, o.ClientID)}
	} else {
		f.Visitors = []event.Visitor{id.Named(o.Site, o.Named)}
	}
	return nil
}

func (o *ForgetOptions) secret(dir *datadir.Dir) ([]byte, error) {
	if o.Secret == "" {
		return dir.Secret()
	}
	secret, err := datadir.ParseSecret(o.Secret)
	if err != nil {
		return nil, fmt.Errorf("%w: --secret: %w", ErrForget, err)
	}
	return secret, nil
}

// findDays is find for an address.
func (o *ForgetOptions) findDays(dir *datadir.Dir, f *Forgotten, erase *lake.EraseOptions) error {
	address, err := netip.ParseAddr(o.Address)
	switch {
	case err != nil:
		return fmt.Errorf("%w: --address: %q is no address", ErrForget, o.Address)
	case o.Agent == "":
		return fmt.Errorf("%w: --address needs --agent, the user agent as the browser sends it: the id is a hash of both", ErrForget)
	}
	salts, err := salt.Read(dir.Salts())
	if err != nil {
		return err
	}
	now := event.TimeOf(o.Now())
	f.Days = salts.Begun(now)
	if o.Day != "" {
		day, err := identity.ParseDay(o.Day)
		if err != nil {
			return fmt.Errorf("%w: --day: %q is no date such as 2026-03-01", ErrForget, o.Day)
		}
		if !slices.Contains(f.Days, day) {
			return noSalt(dir, salts, day, now)
		}
		f.Days = []identity.Day{day}
	}
	if len(f.Days) == 0 {
		return fmt.Errorf("there are no salts in %s: run this where a collector runs, with its --data", dir.Salts())
	}
	id, err := identity.New(make([]byte, identity.SecretLen), salts) // only the salts are used
	if err != nil {
		return err
	}
	const day = 24 * event.Hour
	for _, d := range f.Days {
		noon := event.Time(d)*day + day/2
		who, _, _ := id.Visitor(o.Site, address, o.Agent, identity.Moment{At: noon, Now: noon}) // there is a salt
		f.Visitors = append(f.Visitors, who)
	}
	// A date begins 14 hours before UTC's at the earliest, and ends 12 hours after; some hours longer the next day's events have its id too.
	erase.From, erase.To = event.Time(f.Days[0])*day-14*event.Hour, event.Time(f.Days[len(f.Days)-1]+1)*day+17*event.Hour
	return nil
}

// noSalt says why there is no salt of a date.
func noSalt(dir *datadir.Dir, salts salt.Kept, day identity.Day, now event.Time) error {
	switch gone := salt.Destroyed(day); {
	case gone <= now:
		return fmt.Errorf("%w: the salt of %s was destroyed %s, two hours after that date had ended everywhere. "+
			"Nobody can compute from an address which rows of that date are whose, nor link them to anybody", ErrForget, day, gone.Std().Format("2006-01-02 15:04 UTC"))
	case salts.Salt(day) != nil:
		return fmt.Errorf("%w: %s has not begun", ErrForget, day)
	}
	return fmt.Errorf("there is no salt of %s in %s: run this where a collector runs, with its --data", day, dir.Salts())
}

// putAll makes erasures known: from then on no reader of raw rows gives any of them.
func (o *ForgetOptions) putAll(ctx context.Context, store blob.Store, list []commits.Erasure) error {
	for _, e := range list {
		if err := lake.PutErasure(ctx, store, e); err != nil {
			return fmt.Errorf("note the erasure in the archive: %w", err)
		}
	}
	return lake.EraseImported(ctx, store, list, o.Log)
}

// erase takes rows of the archive out.
func (o *ForgetOptions) erase(ctx context.Context, store blob.Store, e lake.EraseOptions, f *Forgotten) (err error) {
	set, end := o.Steps.start("forget")
	defer end()
	e.Step = func(objects, of int, rows int64) { set(int64(objects), int64(of), rows) }
	f.Erasing, err = lake.NewReader(store).Erase(ctx, e)
	return err
}

// rawSettles is how long an archiver may go on with a list of erasures of before: it reads it every few seconds.
const rawSettles = 10 * time.Second

// inForce waits until the owners of all partitions have committed the erasures.
func (o *ForgetOptions) inForce(ctx context.Context, store blob.Store, list []commits.Erasure, f *Forgotten) error {
	of, err := lake.NewReader(store).ProgressOf(ctx, engine.EventsTopic)
	if err != nil {
		return err
	}
	partitions := int32(0)
	for _, p := range of {
		partitions = max(partitions, p.Partitions)
	}
	if partitions == 0 {
		return nil // nothing but imports, if that
	}
	if o.poll == 0 {
		o.poll = time.Second
	}
	reader := commits.NewReader(commits.ReaderOptions{Store: store, Topic: engine.EventsTopic, Partitions: partitions, MaxAge: o.poll})
	set, end := o.Steps.start("wait for archivers")
	defer end()
	for began := o.Now(); ; {
		s, err := reader.Snapshot(ctx)
		if err != nil {
			return err
		}
		var lacking []string
		f.Hits, f.Unclean = false, 0
		for _, state := range s.Partitions {
			if state.Version < 0 {
				continue
			}
			f.Hits = true
			f.Unclean += len(state.Unclean())
			if slices.ContainsFunc(list, func(e commits.Erasure) bool { return state.Lacks(&e) }) {
				lacking = append(lacking, fmt.Sprint(state.Partition))
			}
		}
		waited := o.Now().Sub(began)
		set(int64(int(partitions)-len(lacking)), int64(partitions), 0)
		switch {
		case len(lacking) == 0 && (f.Hits || waited >= min(rawSettles, o.Wait)):
			f.InForce = true
			return nil
		case len(lacking) > 0 && waited >= o.Wait:
			return fmt.Errorf("%w: the archivers of partitions %s have not taken it over in %s, and hits of them still show who was erased. With the next start "+
				"of serve they do; then run this again, for what it has archived meanwhile", ErrNotInForce, strings.Join(lacking, ", "), o.Wait)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(o.poll):
		}
	}
}
