package server

import (
	"fmt"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/valyala/fasthttp"

	"millrace/cmd/internal/metrics"
	"millrace/query/statsapi"
)

// TestQueriesAreMeasured: each answer counts by its endpoint and status, and what is no query does
// not.
func TestQueriesAreMeasured(t *testing.T) {
	registry := prometheus.NewRegistry()
	m := metrics.NewQueries(registry, "query", "realtime")
	status := 0
	h := measured(m, func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(status) })
	ask := func(path string, answer int) {
		var ctx fasthttp.RequestCtx
		ctx.Request.SetRequestURI(path)
		status = answer
		h(&ctx)
	}
	ask(statsapi.PathQuery, 200)
	ask(statsapi.PathQuery+"?format=csv", 200)
	ask(statsapi.PathQuery, 401)
	ask(statsapi.PathRealtime, 503)
	ask("/elsewhere", 404)
	m.Rows(3)
	all, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]float64{}
	for _, f := range all {
		for _, x := range f.GetMetric() {
			key := f.GetName()
			for _, l := range x.GetLabel() {
				key += " " + l.GetValue()
			}
			got[key] = x.GetCounter().GetValue() + float64(x.GetHistogram().GetSampleCount())
		}
	}
	want := map[string]float64{
		"millrace_query_requests_total query 200": 2, "millrace_query_requests_total query 401": 1, "millrace_query_requests_total realtime 200": 0,
		"millrace_query_requests_total realtime 503": 1, "millrace_query_request_seconds query": 3, "millrace_query_request_seconds realtime": 1,
		"millrace_query_rows_total": 3,
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", got, want)
	}
}
