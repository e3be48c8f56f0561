package site

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"millrace/engine/event"
	"millrace/internal/local"
	"millrace/internal/secretfile"
	"millrace/internal/smallfile"
	"millrace/internal/spelling"
	"millrace/internal/zones"
)

// Any is what Config.Sites and Config.QueryKeys have in place of a list.
const Any = "any"

// Config is the configuration of sites as operators write it. In parentheses is the flag by which
// errors name a field.
type Config struct {
	// Listen is the address that takes events, HOST:PORT. Unless it is a loopback address, Sites
	// has to be given: an open collector is an invitation. Empty: no events are taken.
	Listen string
	// Sites are the sites whose events are taken, or Any alone (--sites).
	Sites []string
	// More are sites that are taken beside those of a list.
	More []string
	// Shards are the sites that are spread, with the number of parts; see Site.Shards (--shards).
	Shards map[string]uint16
	// HonourDNT is Site.HonourDNT of all sites (--honour-dnt).
	HonourDNT bool
	// TimeZone is that of all sites; empty is UTC (--time-zone). TimeZones are those of single ones
	// (--site-time-zones).
	TimeZone  string
	TimeZones map[string]string
	// WriteKeys are KEY or sha256:HEX, with @site+site behind it if it is good for some sites only
	// (--write-keys). QueryKeys are written alike, or Any alone (--query-keys).
	WriteKeys, QueryKeys []string
	// Goals is the path of a file of goals, see ParseGoals; empty: there are none (--goals).
	Goals string
	// File is the path of a file of sites; empty: there is none (--sites-file). Beside it there are
	// More, WriteKeys and QueryKeys alone: their keys are added to the file's.
	File string
	// Filters returns what is wrong with the filters of a segment, as JSON has them. Nil: they are not looked at.
	Filters func(filters []any) error
	// SkipKeyFiles leaves out the files of keys that the file of sites names: they may not be there
	// where no keys are needed.
	SkipKeyFiles bool
}

// Read returns the sites of a configuration, or its first error; of a file of sites all that is
// wrong with it, a *FileError.
func Read(c Config) (*Sites, error) {
	s, _, err := NewSource(c).Read()
	return s, err
}

// sites returns the sites of a configuration whose files are read by read.
func (c *Config) sites(read func(path string, most int) ([]byte, error)) (*Sites, error) {
	s := newSites()
	s.Default.HonourDNT = c.HonourDNT
	parts := []func(*Sites) error{
		c.readSites, c.readWriteKeys, c.readQueryKeys, c.readZones, c.readShards, c.readGoals,
	}
	if c.File != "" {
		file := func(s *Sites) error { return c.readFile(s, read) }
		parts = []func(*Sites) error{c.onlyFile, file, c.readWriteKeys, c.readQueryKeys}
	}
	for _, read := range parts {
		if err := read(s); err != nil {
			return nil, err
		}
	}
	for i := range s.list {
		s.list[i].TimeZone = cmp.Or(s.list[i].TimeZone, s.Default.TimeZone)
	}
	for _, id := range s.names {
		s.named = append(s.named, s.Of(id))
	}
	return s, nil
}

// readSites reads the sites that are accepted.
func (c *Config) readSites(s *Sites) error {
	switch {
	case len(c.Sites) == 0 && c.Listen != "" && !local.LoopbackAddress(c.Listen):
		return fmt.Errorf("--sites: %s can be reached from other machines, so name the sites to take events of "+
			"(--sites shop.example.com,blog.example.com), or say --sites any", c.Listen)
	case len(c.Sites) == 0:
		s.Any = true
		return nil
	case slices.Contains(c.Sites, Any) && len(c.Sites) > 1:
		return fmt.Errorf("--sites: either a list or %q, not both", Any)
	case slices.Contains(c.Sites, Any):
		s.Any = true
		return nil
	}
	if err := validSites("--sites", c.Sites); err != nil {
		return err
	}
	for _, id := range c.Sites {
		s.name(id)
	}
	c.more(s)
	return nil
}

// more takes the sites of More, those that are named already once.
func (c *Config) more(s *Sites) {
	for _, id := range c.More {
		if !s.Of(id).Named {
			s.name(id)
		}
	}
}

// onlyFile refuses what is configured beside a file of sites that the file itself can have.
func (c *Config) onlyFile(*Sites) error {
	for _, f := range []struct {
		flag  string
		given bool
		file  string
	}{
		{"--sites", len(c.Sites) > 0, "sites or any_site"},
		{"--shards", len(c.Shards) > 0, "shards of the site"},
		{"--honour-dnt", c.HonourDNT, "honour_dnt of the site, or under defaults"},
		{"--time-zone", c.TimeZone != "" && c.TimeZone != "UTC", "time_zone under defaults"},
		{"--site-time-zones", len(c.TimeZones) > 0, "time_zone of the site"},
		{"--goals", c.Goals != "", "goals of the site"},
	} {
		if f.given {
			return fmt.Errorf("%s and --sites-file are both given; leave %s out, and write %s into the file", f.flag, f.flag, f.file)
		}
	}
	return nil
}

// readFile reads the file of sites.
func (c *Config) readFile(s *Sites, read func(path string, most int) ([]byte, error)) error {
	text, err := read(c.File, maxFileBytes)
	if err != nil {
		return fmt.Errorf("--sites-file: %w", &FileError{c.File, []Finding{{Text: err.Error()}}})
	}
	r := fileReader{sites: s, filters: c.Filters}
	if !c.SkipKeyFiles {
		r.keyFile = func(name string) ([]byte, error) {
			if !filepath.IsAbs(name) {
				name = filepath.Join(filepath.Dir(c.File), name)
			}
			return read(name, secretfile.MaxBytes)
		}
	}
	if findings := r.read(text); len(findings) > 0 {
		return fmt.Errorf("--sites-file: %w", &FileError{c.File, findings})
	}
	c.more(s)
	if s.Default.TimeZone == nil {
		s.Default.TimeZone = time.UTC
	}
	return nil
}

func (c *Config) readWriteKeys(s *Sites) error {
	keys, err := parseKeys("--write-keys", c.WriteKeys)
	s.WriteKeys.addAll(keys)
	return err
}

func (c *Config) readQueryKeys(s *Sites) error {
	if slices.Equal(c.QueryKeys, []string{Any}) {
		if len(s.QueryKeys) > 0 {
			return fmt.Errorf("--query-keys %s: the file of --sites-file has keys for queries; leave one of them out", Any)
		}
		s.OpenQueries = true
		return nil
	}
	keys, err := parseKeys("--query-keys", c.QueryKeys)
	s.QueryKeys.addAll(keys)
	return err
}

func (c *Config) readShards(s *Sites) error {
	for _, id := range slices.Sorted(maps.Keys(c.Shards)) {
		n := c.Shards[id]
		switch {
		case event.ValidSite(id) != nil:
			return fmt.Errorf("--shards: %w", event.ValidSite(id))
		case n < 1 || n > MaxShards:
			return fmt.Errorf("--shards: site %s: %d is not between 1 and %d", id, n, MaxShards)
		case !s.Any && !s.Of(id).Named:
			return fmt.Errorf("--shards: %s is not among --sites", id)
		case s.Any:
			s.name(id)
		}
		s.at(id).Shards = n
	}
	return nil
}

func (c *Config) readZones(s *Sites) (err error) {
	if s.Default.TimeZone, err = zones.Load(cmp.Or(c.TimeZone, "UTC")); err != nil {
		return fmt.Errorf("--time-zone: %w", err)
	}
	for _, id := range slices.Sorted(maps.Keys(c.TimeZones)) {
		name := c.TimeZones[id]
		if err := event.ValidSite(id); err != nil {
			return fmt.Errorf("--site-time-zones: %w", err)
		}
		if strings.Contains(name, ",") && strings.Contains(name, "=") {
			return fmt.Errorf("--site-time-zones: site %s: %q: between two sites there is a semicolon: %s=%s",
				id, name, id, strings.ReplaceAll(name, ",", ";"))
		}
		zone, err := zones.Load(name)
		if err != nil {
			return fmt.Errorf("--site-time-zones: site %s: %w", id, err)
		}
		s.at(id).TimeZone = zone
	}
	return nil
}

func (c *Config) readGoals(s *Sites) error {
	if c.Goals == "" {
		return nil
	}
	file, err := smallfile.Open(c.Goals)
	if err != nil {
		var path *fs.PathError
		if errors.As(err, &path) {
			err = path.Err // the path is named already
		}
		return fmt.Errorf("--goals %s: %w", c.Goals, err)
	}
	defer file.Close()
	all, err := ParseGoals(file)
	if err != nil {
		return fmt.Errorf("--goals %s: %w", c.Goals, err)
	}
	for i := range all {
		of := s.at(all[i].ID)
		of.Goals, of.Currency = all[i].Goals, all[i].Currency
	}
	return nil
}

// validSites reports names that are no sites, and suggests what may have been meant.
func validSites(flag string, sites []string) error {
	for _, s := range sites {
		err := event.ValidSite(s)
		if err == nil {
			continue
		}
		trimmed := strings.TrimSpace(s)
		if fields := strings.Fields(s); len(fields) > 1 {
			return fmt.Errorf("%s: %q is more than one site; write %s", flag, s, strings.Join(fields, ","))
		}
		if trimmed != s && event.ValidSite(trimmed) == nil {
			all := make([]string, len(sites))
			for i := range sites {
				all[i] = strings.TrimSpace(sites[i])
			}
			return fmt.Errorf("%s: %q has a blank; write %s", flag, s, strings.Join(all, ","))
		}
		if u, perr := url.Parse(s); perr == nil && u.Host != "" {
			return fmt.Errorf("%s: %q is a URL; write %s", flag, s, spelling.ASCII(u.Hostname()))
		}
		if lower := spelling.ASCII(strings.TrimSuffix(trimmed, "/")); event.ValidSite(lower) == nil {
			return fmt.Errorf("%s: %w; write %s", flag, err, lower)
		}
		return fmt.Errorf("%s: %w", flag, err)
	}
	return nil
}
