package arrivals

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"text/tabwriter"
)

// shown is an entry as JSON has it.
type shown struct {
	At       string `json:"at"`
	Outcome  string `json:"outcome"`
	Reason   string `json:"reason,omitempty"`
	Status   int    `json:"status,omitempty"`
	Site     string `json:"site,omitempty"`
	Protocol string `json:"protocol"`
	Path     string `json:"path"`
	Events   int    `json:"events,omitempty"`
	Name     string `json:"name,omitempty"`
	Page     string `json:"page,omitempty"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message,omitempty"`
	Adjusted string `json:"adjusted,omitempty"`
	Trusted  bool   `json:"trusted,omitempty"`
}

// keys are the parameters that ServeHTTP takes.
var keys = []string{"site", "protocol", "reason", "outcome", "format"}

// ServeHTTP answers with the last entries, the youngest first: as text, or as JSON with
// ?format=json or the header Accept: application/json.
func (l *Log) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	for key := range query {
		if !slices.Contains(keys, key) {
			http.Error(w, fmt.Sprintf("there is no parameter %q, only %s", key, strings.Join(keys, ", ")), http.StatusBadRequest)
			return
		}
	}
	format := query.Get("format")
	if format == "" && strings.Contains(r.Header.Get("Accept"), "application/json") {
		format = "json"
	}
	f := Filter{Site: query.Get("site"), Protocol: query.Get("protocol"), Reason: query.Get("reason"), Outcome: query.Get("outcome")}
	w.Header().Set("Cache-Control", "no-store")
	switch format {
	case "json":
		l.writeJSON(w, f)
	case "", "text":
		l.writeText(w, f)
	default:
		http.Error(w, fmt.Sprintf("there is no format %q, only json and text", format), http.StatusBadRequest)
	}
}

func (l *Log) writeJSON(w http.ResponseWriter, f Filter) {
	list := []shown{}
	for _, e := range l.Last(f) {
		list = append(list, shown{
			At: e.At.String(), Outcome: e.Outcome, Reason: e.Reason, Status: e.Status, Site: e.Site, Protocol: e.Protocol, Path: e.Path,
			Events: e.Events, Name: e.Name, Page: e.URL, Field: e.Field, Message: e.Message, Adjusted: e.Adjusted.String(), Trusted: e.Trusted,
		})
	}
	w.Header().Set("Content-Type", "application/json")
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(map[string]any{"arrivals": list}) // an error is the client's, who is gone
}

func (l *Log) writeText(w http.ResponseWriter, f Filter) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	list := l.Last(f)
	if len(list) == 0 {
		fmt.Fprintln(w, "nothing has arrived that this selects")
		return
	}
	tab := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tab, "AT\tOUTCOME\tREASON\tSITE\tPROTOCOL\tEVENTS\tNAME\tPAGE\tWHAT IS WRONG")
	for _, e := range list {
		reason, wrong := e.Reason, e.Message
		if e.Status != 0 {
			reason = fmt.Sprintf("%s %d", reason, e.Status)
		}
		if e.Field != "" {
			wrong = e.Field + ": " + wrong
		}
		if e.Adjusted != 0 {
			wrong = strings.TrimSpace(wrong + " adjusted " + e.Adjusted.String())
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\t%s\n", e.At, e.Outcome, dash(reason), dash(e.Site), e.Protocol, e.Events,
			dash(e.Name), dash(e.URL), dash(wrong))
	}
	_ = tab.Flush() // an error is the client's, who is gone
}

// dash keeps the columns of an empty text apart, and a terminal from what a text says to it.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return ' '
		}
		return r
	}, s)
}
