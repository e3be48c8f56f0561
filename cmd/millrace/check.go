package main

import (
	"fmt"

	"millrace/cmd/internal/check"
)

// checkCommand tries what a serve of the same flags would use.
type checkCommand struct {
	serveCommand `embed:""`
}

// Help is the text behind the list of flags.
func (checkCommand) Help() string {
	return `Tries what serve would use with the same flags, variables and config file, and prints a line for each thing. It makes no topic and counts nothing:
it puts two small objects into the bucket and takes them away again, and writes a point of its own into InfluxDB, whose database
it makes if there is none, as serve does. The exit code is 0 if all is right, and 1 if not. It may run beside a serve.`
}

func (c *checkCommand) Run(p *process, logs *logFlags) error {
	o, err := c.options()
	if err != nil {
		return err
	}
	o.Log = logs.open(p.stderr)
	probes := o.Probes()
	switch failed, untried := check.Run(p.ctx, p.stdout, probes); {
	case untried > 0:
		return fmt.Errorf("%d of %d failed, and %d need those and were not tried", failed, len(probes), untried)
	case failed > 0:
		return fmt.Errorf("%d of %d failed", failed, len(probes))
	}
	return nil
}
