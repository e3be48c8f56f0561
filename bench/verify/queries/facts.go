package queries

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// writeFacts writes what the recount has of the traffic's maker, as CSV files of a folder, and the file of sites that Millrace counts
// by, which it returns.
func writeFacts(dir string, sites []site) (sitesFile string, err error) {
	f := facts{dir: dir}
	f.table("agents", "ua,browser,browser_version,os,os_version,device,bot", func(add func(...string)) {
		for _, a := range people {
			add(a.ua, a.browser, a.browserVersion, a.os, a.osVersion, a.device, a.bot)
		}
		for _, a := range bots {
			add(a.ua, noAgent.browser, noAgent.browserVersion, noAgent.os, noAgent.osVersion, noAgent.device, a.bot)
		}
	})
	f.table("arrivals", "referrer,query,source,page,channel,utm_source,utm_medium,utm_campaign,utm_content,utm_term", func(add func(...string)) {
		for _, a := range arrivals {
			add(a.referrer, a.query, a.source, a.page, a.channel, a.utmSource, a.medium, a.campaign, a.content, a.term)
		}
	})
	f.table("pages", "sent,page", func(add func(...string)) {
		for _, p := range pages {
			add(p.sent, p.is)
		}
	})
	f.table("places", "country,region,city,is_country,country_name,is_region,is_city", func(add func(...string)) {
		for _, p := range places {
			add(p.country, p.region, p.city, p.isCountry, p.name, p.isRegion, p.isCity)
		}
	})
	f.words("languages", languages)
	f.words("screens", screens)
	f.table("sites", "site,zone,currency,bots,traffic", func(add func(...string)) {
		for _, s := range sites {
			add(s.name, s.zone, s.currency, s.bots, strconv.Itoa(s.weight))
		}
	})
	f.table("goals", "site,goal,event,expression", func(add func(...string)) {
		for _, s := range sites {
			for _, g := range s.goals {
				add(s.name, g.name, g.event, g.expression)
			}
		}
	})
	if f.err != nil {
		return "", f.err
	}
	sitesFile = filepath.Join(dir, "sites.yaml")
	return sitesFile, os.WriteFile(sitesFile, []byte(yamlOf(sites)), 0o600)
}

type facts struct {
	dir string
	err error
}

func (f *facts) table(name, columns string, rows func(add func(...string))) {
	if f.err != nil {
		return
	}
	to, err := os.Create(filepath.Join(f.dir, name+".csv"))
	if err != nil {
		f.err = err
		return
	}
	w := csv.NewWriter(to)
	add := func(fields ...string) {
		if err := w.Write(fields); err != nil && f.err == nil {
			f.err = err
		}
	}
	add(strings.Split(columns, ",")...)
	rows(add)
	w.Flush()
	for _, err := range []error{w.Error(), to.Close()} {
		if err != nil && f.err == nil {
			f.err = fmt.Errorf("write facts: %w", err)
		}
	}
}

func (f *facts) words(name string, list []word) {
	f.table(name, "sent,value", func(add func(...string)) {
		for _, w := range list {
			add(w.sent, w.is)
		}
	})
}

// yamlOf returns the file of sites.
func yamlOf(sites []site) string {
	var b strings.Builder
	b.WriteString("sites:\n")
	for _, s := range sites {
		fmt.Fprintf(&b, "  %s:\n    time_zone: %s\n", s.name, s.zone)
		if s.currency != "" {
			fmt.Fprintf(&b, "    currency: %s\n", s.currency)
		}
		if s.bots != "" {
			fmt.Fprintf(&b, "    bots: %s\n", s.bots)
		}
		if s.shards > 1 {
			fmt.Fprintf(&b, "    shards: %d\n", s.shards)
		}
		if len(s.goals) == 0 {
			continue
		}
		b.WriteString("    goals:\n")
		for _, g := range s.goals {
			if g.event != "" {
				fmt.Fprintf(&b, "      - {name: %q, event: %s}\n", g.name, g.event)
			} else {
				fmt.Fprintf(&b, "      - {name: %q, page: %q}\n", g.name, g.page)
			}
		}
	}
	return b.String()
}
