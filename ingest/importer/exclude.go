package importer

import (
	"encoding/json"
	"net/netip"

	"millrace/ingest/importer/accesslog"
	"millrace/internal/site"
	"millrace/internal/spelling"
)

// Reasons for which a line of an access log is skipped by the settings of its site. The collector
// gives the same ones.
const (
	SkipAddress  = "address"  // of excluded_addresses
	SkipHostname = "hostname" // of a virtual host that hostnames lacks
	SkipPath     = "path"     // of excluded_paths
)

// Exclude leaves out what a site does not count, for the calls of Digest and Read that follow. Of a
// file of events it leaves out nothing: these name no address of a browser, and their sender chose
// them.
func (f *File) Exclude(of *site.Site) {
	f.excludes = nil
	if len(of.Hostnames)+len(of.ExcludedPaths)+len(of.ExcludedAddresses) > 0 && f.format == Combined {
		f.excludes = of
	}
}

// excluder returns how lines are left out, nil for none.
func (f *File) excluder() accesslog.Excludes {
	of := f.excludes
	if of == nil {
		return nil
	}
	return func(client, vhost, target string) string {
		// A name of a client is of no range of addresses.
		if addr, err := netip.ParseAddr(client); err == nil && of.ExcludesAddress(addr) {
			return SkipAddress
		}
		// Without a virtual host the log is the site's own.
		if vhost != "" {
			if host, _, _ := spelling.SplitURL("https://" + vhost + "/"); !of.TakesHost(spelling.WithoutWWW(host)) {
				return SkipHostname
			}
		}
		if _, path, _ := spelling.SplitURL("https://" + of.ID + target); of.ExcludesPage(of.Spelling.Page(spelling.Path(path))) {
			return SkipPath
		}
		return ""
	}
}

// rules is the text of what is left out, "" for nothing. It is a part of what identifies an import:
// another choice of lines of one file is another import, whose objects must not mix with these.
func (f *File) rules() string {
	of := f.excludes
	if of == nil {
		return ""
	}
	var paths []string
	for i := range of.ExcludedPaths {
		paths = append(paths, of.ExcludedPaths[i].Path)
	}
	text, err := json.Marshal([]any{of.Hostnames, paths, of.ExcludedAddresses, of.Spelling})
	if err != nil {
		panic(err) // texts and booleans
	}
	return string(text) + "\n"
}
