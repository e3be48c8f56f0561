package queries

import (
	"context"
	"embed"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"millrace/emit/lake/hitread"
	"millrace/engine"
	"millrace/engine/event"
	"millrace/engine/window"
	"millrace/query"
	"millrace/query/statsapi"
)

// finished is a store of rollups that nothing comes to any more: a replay leaves no progress.
type finished struct{ query.Reader }

func (finished) Progress(context.Context) ([]window.Progress, error) {
	list := make([]window.Progress, partitions)
	for i := range list {
		list[i] = window.Progress{Low: now, Hours: now.Floor(event.Hour)}
	}
	return list, nil
}

// serve answers queries on a listener until stop is called.
func (r *run) serve(l net.Listener, rollups query.Reader) (stop func(), err error) {
	hits, err := hitread.New(hitread.Options{Store: r.lake, Lister: hitread.NewPublished(r.lake, engine.EventsTopic, partitions)})
	if err != nil {
		return nil, err
	}
	x, err := query.New(query.Options{
		Reader: finished{rollups}, Hits: hits, Reached: r.goals.Reached, Partitions: partitions, Logger: r.Log,
		TimeZone: func(id string) *time.Location { return r.of.Of(id).TimeZone },
		Goals: func(id string) (names []string) {
			for _, g := range r.of.Of(id).Goals {
				names = append(names, g.Name)
			}
			return names
		},
		Now: func() time.Time { return now.Std() }, Timeout: 10 * time.Minute, ExactVisitors: r.ExactVisitors,
	})
	if err != nil {
		return nil, err
	}
	api, err := statsapi.New(statsapi.Options{Executor: x, Logger: r.Log})
	if err != nil {
		return nil, err
	}
	s := &http.Server{Handler: answers{api}, ReadHeaderTimeout: time.Minute}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = s.Serve(l) // until it is closed
	}()
	return func() { s.Close(); <-served }, nil
}

// answers is the API over HTTP.
type answers struct{ api *statsapi.Server }

func (a answers) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	body, err := io.ReadAll(req.Body)
	if err != nil {
		return
	}
	answer, err := a.api.Answer(req.Context(), body)
	if err != nil {
		status := http.StatusInternalServerError
		var known *statsapi.Error
		if errors.As(err, &known) {
			status = known.Status
		}
		http.Error(w, err.Error(), status)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(answer) // who does not read it, does not have it
}

//go:embed recount
var recount embed.FS

// unpack writes the recount's programs to a folder, and returns the one to run.
func unpack(dir string) (string, error) {
	list, err := recount.ReadDir("recount")
	if err != nil {
		return "", err
	}
	to := filepath.Join(dir, "recount")
	if err := os.MkdirAll(to, 0o700); err != nil {
		return "", err
	}
	for _, f := range list {
		text, err := recount.ReadFile("recount/" + f.Name())
		if err != nil {
			return "", err
		}
		if err := os.WriteFile(filepath.Join(to, f.Name()), text, 0o600); err != nil {
			return "", err
		}
	}
	return filepath.Join(to, "queries.py"), nil
}
