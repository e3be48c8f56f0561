package main

import (
	"encoding/json"
	"fmt"
	"log/slog"

	"github.com/prometheus/client_golang/prometheus"

	"millrace/bench/verify/chaos"
	"millrace/cmd/internal/audit"
	"millrace/cmd/internal/rules"
	"millrace/cmd/internal/stores"
	"millrace/engine"
)

// auditCommand is the self-audit of serve as a process of its own: a scenario of package chaos has
// the stores compared that it has filled.
type auditCommand struct {
	Spec string `arg:"" help:"The stores, as JSON."`
}

// Run compares each hour once and prints what came of it as JSON.
func (c *auditCommand) Run(p *process) error {
	var spec chaos.Audit
	if err := json.Unmarshal([]byte(c.Spec), &spec); err != nil {
		return fmt.Errorf("read what is to be audited: %w", err)
	}
	newDeriver, err := spec.NewDeriver()
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(p.stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	var set stores.Set
	if set.Lake, err = stores.OpenLake(spec.Lake, ""); err != nil {
		return err
	}
	// A serve leaves these at its start. Here one build has counted everything.
	const by = "scenario"
	if err := rules.Leave(p.ctx, set.Lake, spec.Rules()); err != nil {
		return err
	}
	counting := rules.Counting{By: by, Rules: string(engine.EncodeRules(spec.Rules()))}
	if err := rules.PutCounting(p.ctx, set.Lake, counting); err != nil {
		return err
	}
	if set.Local, err = stores.OpenLocal(spec.Rollups, log); err != nil {
		return err
	}
	defer set.Local.Close()
	a := audit.New(audit.Options{
		Stores: set, Share: 1, By: by, NewDeriver: newDeriver, KeptFrom: spec.KeptFrom, Metrics: prometheus.NewRegistry(), Log: log,
	})
	got, err := a.Cycle(p.ctx)
	if err != nil {
		return err
	}
	return json.NewEncoder(p.stdout).Encode(chaos.Audited(got))
}
