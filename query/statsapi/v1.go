package statsapi

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/query"
)

// The paths of the Stats API v1, which clients of before 2024 and many plug-ins speak.
const (
	PathAggregate  = "/api/v1/stats/aggregate"
	PathTimeseries = "/api/v1/stats/timeseries"
	PathBreakdown  = "/api/v1/stats/breakdown"
)

// v1Params are the parameters that a path takes. A misspelled filter that was passed over would give
// other numbers, so that unknown ones are refused.
var v1Params = map[string][]string{
	PathAggregate:  {"site_id", "period", "date", "metrics", "filters", "compare", "with_imported"},
	PathTimeseries: {"site_id", "period", "date", "metrics", "filters", "interval", "with_imported"},
	PathBreakdown:  {"site_id", "period", "date", "metrics", "filters", "property", "limit", "page", "with_imported"},
}

// v1Periods are the values of period.
var v1Periods = []string{"day", "7d", "30d", "month", "6mo", "12mo", "year", "custom"}

const (
	v1Limit    = 100   // default number of rows of a breakdown
	v1MaxLimit = 1_000 // and the largest
)

// v1Request is a request of v1: a query of one range of days, and in what form the answer is.
type v1Request struct {
	query.Request
	path        string
	first, last time.Time // days, both included
	compare     bool      // the days before are to be compared with
}

// serveV1 answers a request of v1.
func (s *Server) serveV1(ctx *fasthttp.RequestCtx, path string) error {
	auth := string(ctx.Request.Header.Peek("Authorization"))
	args, err := v1Args(ctx.QueryArgs(), path)
	if err == nil {
		err = v1Site(args)
	}
	if err != nil {
		if aerr := s.authorizeAny(auth); aerr != nil {
			return aerr
		}
		return err
	}
	if err := s.authorize(auth, args["site_id"]); err != nil {
		return err
	}
	r, err := parseV1(path, args, s.opts.Executor.Today(args["site_id"]))
	if err != nil {
		return err
	}
	results, err := s.answerV1(serverContext(ctx), r)
	if err != nil {
		return asError(err)
	}
	b, err := encode(map[string]any{"results": results})
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(b)
	return nil
}

// v1Args returns the parameters of a request. Empty ones are none: clients send what was not chosen so.
func v1Args(args *fasthttp.Args, path string) (map[string]string, error) {
	list := map[string]string{}
	for key, value := range args.All() {
		k, v := string(key), string(value)
		if !slices.Contains(v1Params[path], k) {
			return nil, bad("Unknown parameter %q with value %s: %s takes %s.", k, query.Show(v), path, strings.Join(v1Params[path], ", "))
		}
		if _, twice := list[k]; twice {
			return nil, bad("The parameter %q is there twice.", k)
		}
		if v != "" {
			list[k] = v
		}
	}
	return list, nil
}

func v1Site(args map[string]string) error {
	switch site, ok := args["site_id"]; {
	case !ok:
		return bad("Missing site_id.")
	case event.ValidSite(site) != nil:
		return bad("Invalid site_id %s: %s.", query.Show(site), event.ErrSite)
	}
	return nil
}

// parseV1 makes a query of parameters. Today is the day that the site has, by which periods go.
func parseV1(path string, args map[string]string, today time.Time) (*v1Request, error) {
	r := &v1Request{path: path, Request: query.Request{Site: args["site_id"], Limit: maxLimit}}
	for _, step := range []func(map[string]string) error{
		r.parseMetrics, r.parseProperty,
		func(args map[string]string) error { return r.parsePeriod(args, today) },
		r.parseInterval, r.parseFilters, r.parsePage, r.parseCompare, parseImported,
	} {
		if err := step(args); err != nil {
			return nil, err
		}
	}
	if err := r.Check(); err != nil {
		return nil, asError(err)
	}
	return r, nil
}

func (r *v1Request) parseMetrics(args map[string]string) error {
	list, ok := args["metrics"]
	if !ok {
		list = "visitors"
	}
	for name := range strings.SplitSeq(list, ",") {
		m, err := query.ParseMetric(strings.TrimSpace(name))
		if err != nil {
			return bad("Invalid metrics %q: %s.", name, err)
		}
		if slices.Contains(r.Metrics, m) {
			return bad("Invalid metrics %s: %q is there twice.", query.Show(list), m)
		}
		r.Metrics = append(r.Metrics, m)
	}
	return nil
}

func (r *v1Request) parseProperty(args map[string]string) error {
	if r.path != PathBreakdown {
		return nil
	}
	name, ok := args["property"]
	if !ok {
		return bad("Missing property: a breakdown is by one, such as event:page.")
	}
	d, err := query.ParseDimension(name)
	if err != nil {
		return bad("Invalid property %q: %s.", name, err)
	}
	if d.IsTime() {
		return bad("Invalid property %q: %s has the numbers by time.", name, PathTimeseries)
	}
	r.Dimensions = []*query.Dimension{d}
	return nil
}

// parsePeriod reads period and date. Unlike ranges of v2 a period has whole days, those to come among
// them ("month" ends with the month), and 30d has 31 days.
func (r *v1Request) parsePeriod(args map[string]string, today time.Time) (err error) {
	period, ok := args["period"]
	if !ok {
		period = "30d"
	}
	date, dated := args["date"]
	if period == "custom" {
		return r.parseCustom(date)
	}
	y, m, d := today.Date()
	if dated && date != "today" {
		at, err := time.Parse(time.DateOnly, date)
		if err != nil {
			return bad("Invalid date %s: it has to be a day such as 2024-01-31; two days need period=custom.", query.Show(date))
		}
		y, m, d = at.Date()
	}
	day := func(y int, m time.Month, d int) time.Time { return time.Date(y, m, d, 0, 0, 0, 0, time.UTC) }
	r.first, r.last = day(y, m, d), day(y, m, d)
	switch period {
	case "day":
	case "7d":
		r.first = day(y, m, d-6)
	case "30d":
		r.first = day(y, m, d-30)
	case "month":
		r.first, r.last = day(y, m, 1), day(y, m+1, 0)
	case "6mo":
		r.first, r.last = day(y, m-5, 1), day(y, m+1, 0)
	case "12mo":
		r.first, r.last = day(y, m-11, 1), day(y, m+1, 0)
	case "year":
		r.first, r.last = day(y, 1, 1), day(y, 12, 31)
	default:
		return bad("Invalid period %q: it has to be one of %s.", period, strings.Join(v1Periods, ", "))
	}
	return r.setRange("date", date)
}

func (r *v1Request) parseCustom(date string) (err error) {
	first, last, _ := strings.Cut(date, ",")
	for _, of := range []struct {
		text string
		to   *time.Time
	}{{first, &r.first}, {last, &r.last}} {
		if *of.to, err = time.Parse(time.DateOnly, strings.TrimSpace(of.text)); err != nil {
			return bad("Invalid date %s: with period=custom it has to be two days with a comma between them, such as 2024-01-01,2024-01-31.", query.Show(date))
		}
	}
	return r.setRange("date", date)
}

func (r *v1Request) setRange(key, value string) (err error) {
	if r.Range, err = query.DayRange(r.first, r.last); err != nil {
		return bad("Invalid %s %s: %s.", key, query.Show(value), err)
	}
	return nil
}

// parseInterval reads the unit of a timeseries: hours of one day, months of several, else days.
func (r *v1Request) parseInterval(args map[string]string) error {
	if r.path != PathTimeseries {
		return nil
	}
	interval := args["interval"]
	switch period := args["period"]; {
	case interval == "date": // its name of long ago
		interval = "day"
	case interval == "" && period == "day":
		interval = "hour"
	case interval == "" && slices.Contains([]string{"6mo", "12mo", "year"}, period):
		interval = "month"
	case interval == "":
		interval = "day"
	case !slices.Contains([]string{"hour", "day", "week", "month"}, interval):
		return bad("Invalid interval %q: it has to be day or month, and may be hour or week.", interval)
	}
	d, err := query.ParseDimension("time:" + interval)
	if err != nil {
		return err
	}
	r.Dimensions, r.TimeLabels = []*query.Dimension{d}, true
	return nil
}

func (r *v1Request) parsePage(args map[string]string) error {
	if r.path != PathBreakdown {
		return nil
	}
	limit, page := v1Limit, 1
	for _, of := range []struct {
		key  string
		to   *int
		most int
	}{{"limit", &limit, v1MaxLimit}, {"page", &page, 1 << 20}} {
		text, ok := args[of.key]
		if !ok {
			continue
		}
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > of.most {
			return bad("Invalid %s %s: it has to be a whole number from 1 to %d.", of.key, query.Show(text), of.most)
		}
		*of.to = n
	}
	r.Limit, r.Offset = limit, (page-1)*limit
	return nil
}

func (r *v1Request) parseCompare(args map[string]string) error {
	switch v, ok := args["compare"]; {
	case !ok:
	case v != "previous_period":
		return bad("Invalid compare %s: it has to be previous_period.", query.Show(v))
	default:
		r.compare = true
	}
	return nil
}

// parseImported checks with_imported, which changes nothing: what is imported are events.
func parseImported(args map[string]string) error {
	if v, ok := args["with_imported"]; ok && v != "true" && v != "false" {
		return bad("Invalid with_imported %s: it has to be true or false.", query.Show(v))
	}
	return nil
}
