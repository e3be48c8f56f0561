package main

import (
	"time"

	"millrace/engine"
	"millrace/engine/enrich"
	"millrace/engine/event"
	"millrace/internal/site"
)

// countingFlags say what is counted of an event. serve, replay and import share them, and need
// the same.
type countingFlags struct {
	Goals string `placeholder:"FILE" group:"Counting" help:"JSON file of the sites' goals. serve, replay and import need the same one: what one of them counts with another is a difference to the others."`

	SitesFile string `placeholder:"FILE" group:"Counting" help:"YAML file of the sites: names, time zones, currencies, goals, keys, shards. It stands for --sites, --shards, --time-zone, --site-time-zones, --honour-dnt and --goals. \"millrace sites check\" reads it and shows an example."`
}

// sites reads the file of goals or sites. Zone is that of all sites, "" for the file's or UTC.
func (f *countingFlags) sites(zone string) (*site.Sites, error) {
	sites, err := site.Read(site.Config{Goals: f.Goals, File: f.SitesFile, TimeZone: zone, SkipKeyFiles: true})
	if err != nil {
		return nil, usagef("%w", err)
	}
	return sites, nil
}

// keptFrom returns from where on the numbers of sites are kept now.
func keptFrom(sites *site.Sites) func(id string) event.Time {
	now := time.Now()
	return func(id string) event.Time { return sites.KeptFrom(id, now) }
}

// deriverOf returns what makes a partition's Deriver.
func deriverOf(sites *site.Sites) func() engine.Deriver {
	goals := enrich.NewGoals(sites.All(), sites.Default)
	return func() engine.Deriver { return enrich.New(enrich.Options{Goals: goals}) }
}
