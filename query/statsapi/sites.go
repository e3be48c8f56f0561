package statsapi

import (
	"slices"
	"strconv"
	"strings"

	"github.com/valyala/fasthttp"

	"millrace/engine/event"
	"millrace/query"
)

// SiteInfo is what is told of a site that may be queried.
type SiteInfo struct {
	// ID is the site_id of queries.
	ID string
	// TimeZone is a name of IANA's; Currency an ISO 4217 code, "" if the site has none.
	TimeZone, Currency string
	// RetentionDays is for how many days before today numbers are kept; 0: for ever.
	RetentionDays int
}

// The bounds of a page of sites.
const (
	defaultSites = 100
	mostSites    = 1000
)

// siteList is the body of an answer of PathSites, in the form of Plausible's Sites API.
type siteList struct {
	Sites []siteJSON   `json:"sites"`
	Meta  siteListMeta `json:"meta"`
}

type siteJSON struct {
	Domain   string `json:"domain"`
	TimeZone string `json:"timezone"`
	Currency string `json:"currency,omitempty"`
	Days     int    `json:"retention_days,omitempty"`
}

type siteListMeta struct {
	// After is what the next page is behind, null at the end.
	After *string `json:"after"`
	// Before is always null: pages are read forwards.
	Before *string `json:"before"`
	Limit  int     `json:"limit"`
}

// serveSites answers with the sites by name that a key opens, in the order of their ids.
func (s *Server) serveSites(ctx *fasthttp.RequestCtx) error {
	auth := string(ctx.Request.Header.Peek("Authorization"))
	if err := s.authorizeAny(auth); err != nil {
		return err
	}
	list := siteList{Sites: []siteJSON{}, Meta: siteListMeta{Limit: defaultSites}}
	args := ctx.QueryArgs()
	if args.Has("limit") {
		n, err := strconv.Atoi(string(args.Peek("limit")))
		if err != nil || n < 1 || n > mostSites {
			return bad("Invalid limit %s: it has to be a number from 1 to %d.", query.Show(string(args.Peek("limit"))), mostSites)
		}
		list.Meta.Limit = n
	}
	after := string(args.Peek("after"))
	if after != "" && event.ValidSite(after) != nil {
		return bad("Invalid after %s: it has to be meta.after of the page before.", query.Show(after))
	}
	if args.Has("before") {
		return bad("Invalid before: pages are read forwards, with after.")
	}
	var sites []SiteInfo
	if s.opts.Sites != nil {
		sites = s.opts.Sites()
	}
	opens := func(id string) bool { return s.opts.Keys == nil || s.opts.Keys.Allow(bearer(auth), id) }
	known := opens("") // a key of every site, of which there may be none by name
	sites = slices.DeleteFunc(slices.Clone(sites), func(of SiteInfo) bool { return !opens(of.ID) })
	if len(sites) == 0 && !known {
		return errorf(401, "Invalid API key. Make sure that the key is right.")
	}
	slices.SortFunc(sites, func(a, b SiteInfo) int { return strings.Compare(a.ID, b.ID) })
	for _, of := range sites {
		if of.ID <= after {
			continue
		}
		if len(list.Sites) == list.Meta.Limit {
			list.Meta.After = &list.Sites[len(list.Sites)-1].Domain
			break
		}
		list.Sites = append(list.Sites, siteJSON{of.ID, of.TimeZone, of.Currency, of.RetentionDays})
	}
	b, err := encode(&list)
	if err != nil {
		return err
	}
	ctx.SetContentType("application/json")
	ctx.SetBody(b)
	return nil
}
