package main

import (
	"cmp"
	"fmt"
	"io"
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
	SitesFile string `placeholder:"FILE" help:"The file that serve has. It is read if no other is named; if one is, what of the change waits for the next start is printed too."`
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
	next, err := site.Check(path, statsapi.CheckFilters)
	if err != nil {
		return usagef("%w", err)
	}
	text := fmt.Sprintf("%d sites, all right\n", len(next.Named()))
	if c.File != "" && c.SitesFile != "" {
		text += c.waiting(next)
	}
	_, err = io.WriteString(p.stdout, text)
	return err
}

// waiting says what of a change of the file that serve has waits for the next start, "" for nothing.
func (c *sitesCheckCommand) waiting(next *site.Sites) string {
	was, err := site.Check(c.SitesFile, statsapi.CheckFilters)
	if err != nil {
		return fmt.Sprintf("what waits for the next start is not known: %v\n", err)
	}
	_, waiting := was.InForce(next)
	if len(waiting) == 0 {
		return ""
	}
	return "change when serve is started again, and not before: " + strings.Join(waiting, ", ") + "\n" + site.AfterWaiting + "\n"
}
