package main

import (
	"cmp"
	"fmt"
	"strings"

	"millrace/internal/site"
	"millrace/query/statsapi"
)

// sitesCommand looks after the file of sites.
type sitesCommand struct {
	Check sitesCheckCommand `cmd:"" help:"Read a file of sites as serve does, and print what is wrong with it."`
}

// sitesCheckCommand checks a file of sites.
type sitesCheckCommand struct {
	SitesFile string `placeholder:"FILE" help:"The file, if none is named."`
	File      string `arg:"" optional:"" name:"file" help:"The file to read. Default: that of --sites-file."`
}

// Help is the text behind the list of flags.
func (sitesCheckCommand) Help() string {
	return "The exit code is 0 if all is right, and 2 if not. An example with every field:\n\n" + "  " + strings.ReplaceAll(site.Example, "\n", "\n  ")
}

func (c *sitesCheckCommand) Run(p *process) error {
	path := cmp.Or(c.File, c.SitesFile)
	if path == "" {
		return usagef("name the file to check: millrace sites check sites.yaml")
	}
	n, err := site.Check(path, statsapi.CheckFilters)
	if err != nil {
		return usagef("%w", err)
	}
	_, err = fmt.Fprintf(p.stdout, "%d sites, all right\n", n)
	return err
}
