package main

import (
	"errors"
	"time"

	"millrace/cmd/internal/cli"
	"millrace/cmd/internal/offline"
)

// forgetCommand erases a visitor.
type forgetCommand struct {
	Site       string        `placeholder:"SITE" group:"Who" help:"Site of the visitor."`
	ClientID   string        `placeholder:"ID" group:"Who" help:"The id that the tracker in the visitor's browser has, on a site with identity: client-id."`
	Visitor    string        `placeholder:"NAME" group:"Who" help:"What a trusted sender calls the visitor."`
	Address    string        `placeholder:"IP" group:"Who" help:"Address of a cookieless visitor, with --agent. Without --day on all days of which there is a salt."`
	Agent      string        `placeholder:"TEXT" group:"Who" help:"User agent, as the browser sends it."`
	Day        string        `placeholder:"DATE" group:"Who" help:"Date in the site's time zone, such as 2026-03-01. Its salt is destroyed at 14:00 UTC on the day after."`
	Again      string        `placeholder:"FILE" group:"Who" help:"Erase again what is in a file that --list has written, - for the standard input: after an older copy of the archive was put back."`
	List       bool          `group:"Mode" help:"Print all that is erased, a line each, and erase nothing."`
	DryRun     bool          `group:"Mode" help:"Change nothing, print how much it would be."`
	Wait       time.Duration `default:"3m" group:"Mode" help:"How long to wait for serve to take it over, which does so within two minutes."`
	Secret     string        `placeholder:"HEX" group:"Who" help:"Secret of the collectors, if they have another one than that of the data folder."`
	SecretFile string        `placeholder:"FILE" group:"Who" help:"File with the value of --secret."`
	storeFlags `embed:""`
}

// Help is the text behind the list of flags.
func (forgetCommand) Help() string { return offline.ForgetHelp }

func (c *forgetCommand) Run(p *process, logs *logFlags) (err error) {
	o := offline.ForgetOptions{Data: c.Data, S3: c.S3, Secret: c.Secret, Site: c.Site, ClientID: c.ClientID, Named: c.Visitor, Address: c.Address,
		Agent: c.Agent, Day: c.Day, DryRun: c.DryRun, Wait: c.Wait, Steps: steps(p.stderr), Log: logs.open(p.stderr)}
	if c.List {
		return offline.ForgottenBefore(p.ctx, o, p.stdout)
	}
	if c.Again != "" {
		if o.Again, err = cli.OpenInput(c.Again, p.stdin); err != nil {
			return usagef("--again: %w", err)
		}
		defer o.Again.Close()
	}
	f, err := offline.Forget(p.ctx, o)
	if f != nil {
		f.Print(p.stdout, c.DryRun)
	}
	if errors.Is(err, offline.ErrForget) {
		return usagef("%w", err)
	}
	return err
}
