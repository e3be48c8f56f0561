package admin

import (
	"errors"
	"net/http/httptest"
	"testing"
)

func TestReadinessNamesTheReason(t *testing.T) {
	r := NewReadiness([]string{"collect", "process", "emit", "archive", "query"})
	var why error
	r.AddWhy("collect", func() error { return nil })
	r.AddWhy("emit", func() error { return why })
	f := func(target string, code int, body string) {
		t.Helper()
		w := httptest.NewRecorder()
		r.ServeHTTP(w, httptest.NewRequest("GET", target, nil))
		if w.Code != code || w.Body.String() != body {
			t.Errorf("%s: %d\n%s\nwant %d\n%s", target, w.Code, w.Body, code, body)
		}
	}
	f("/readyz?verbose", 503, "yes collect\nyes emit\nno  started: not everything is up yet\nyes serving\n")
	r.Start()
	f("/readyz", 200, "yes collect\nyes emit\nyes started\nyes serving\n")
	why = errors.New("InfluxDB:\n 401")
	f("/readyz", 503, "yes collect\nno  emit\nyes started\nyes serving\n")
	f("/readyz?verbose", 503, "yes collect\nno  emit: InfluxDB: 401\nyes started\nyes serving\n")
	// The others do not count.
	f("/readyz?role=collect", 200, "yes collect\nyes started\nyes serving\n")
	f("/readyz?role=query,emit&verbose=1", 503, "no  emit: InfluxDB: 401\nyes started\nyes serving\n")
	f("/readyz?role=colect", 400, "there is no role \"colect\", only collect, process, emit, archive, query\n")
	r.AddFor([]string{"process", "archive"}, "kafka", func() error { return errors.New("away") })
	f("/readyz?role=archive&verbose", 503, "no  kafka: away\nyes started\nyes serving\n")
	r.Note("collect", func() string { return "drains its\nspool" })
	f("/readyz?role=collect", 200, "yes collect\nyes started\nyes serving\n")
	f("/readyz?role=collect&verbose", 200, "yes collect: drains its spool\nyes started\nyes serving\n")
	r.Drain()
	f("/readyz?role=collect&verbose", 503, "yes collect: drains its spool\nyes started\nno  serving: the process is about to end\n")
}
